import Stencil

/// A file that is written from a plan.
enum TestTemplate: String, CaseIterable {
  case kunit = "bhb_kunit.c"
  case kunitPatch = "bhb_kunit.patch"
  case kselftest = "bhb_kselftest.sh"
  case github = "github-workflow.yml"
  case gitlab = "gitlab-ci.yml"
  case readme = "README.md"

  private var bytes: [UInt8] {
    switch self {
    case .kunit: PackageResources.bhb_kunit_c_stencil
    case .kunitPatch: PackageResources.kunit_patch_stencil
    case .kselftest: PackageResources.bhb_kselftest_sh_stencil
    case .github: PackageResources.github_workflow_yml_stencil
    case .gitlab: PackageResources.gitlab_ci_yml_stencil
    case .readme: PackageResources.README_md_stencil
    }
  }

  /// The file's text.
  ///
  /// - Throws: for a template that Stencil refuses, which tests find.
  func rendered(_ context: [String: Any]) throws -> String {
    let filters = Extension()
    let quotations: [(String, @Sendable (String) -> String)] = [
      ("c_string", Quoting.cString), ("c_comment", Quoting.cComment), ("shell", Quoting.shell),
      ("shell_comment", Quoting.line), ("mail", Quoting.mail), ("yaml", Quoting.yaml),
      ("markdown", Quoting.markdown), ("code", Quoting.code),
    ]
    for (name, quote) in quotations {
      filters.registerFilter(name) { (value: Any?) in
        // What is not text is no kernel's word: a mistake of ours, not to be hidden.
        guard let text = value as? String else {
          throw TemplateSyntaxError("\(name) takes a text")
        }
        return quote(text)
      }
    }
    let environment = Environment(extensions: [filters])
    return try environment.renderTemplate(
      string: String(decoding: bytes, as: UTF8.self), context: context)
  }
}
