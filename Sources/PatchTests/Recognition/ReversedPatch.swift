import KernelImage
import Mitigation

/// Tells patches that were made the wrong way round: from the new state to the old one.
enum ReversedPatch {
  /// - Throws: a `PatchError` with the line that shows it.
  static func refuse(
    _ patches: [KernelPatch], before: KernelImage?, after: KernelImage?, sites: [Site] = []
  ) throws(PatchError) {
    for patch in patches where !patch.subject.hasPrefix("Revert ") {
      guard let after else { continue }
      try refuse(patch, before: before, after: after)
      try refuse(patch, sites)
    }
    guard after == nil else { return }
    // Without a build only this can be told: a series that takes area's constants away alone.
    let files = patches.filter { !$0.subject.hasPrefix("Revert ") }.flatMap { patch in
      patch.files.map { (patch, $0) }
    }
    let added = files.contains { $0.1.hunks.contains { $0.added.contains(where: isConstant) } }
    guard !added else { return }
    for (patch, file) in files {
      for hunk in file.hunks {
        guard let line = hunk.removed.first(where: isConstant) else { continue }
        throw PatchError(
          file: patch.source, line: line.number,
          message: "takes `\(line.text.trimmed)` away and adds no such thing: the patch seems to "
            + "be reversed; if it is meant so, give the build it leads to with --after")
      }
    }
  }

  /// Whether a text is so long that it comes from one place.
  private static func isTelling(_ text: String) -> Bool { text.count >= 24 }

  /// A build that has the sites, or uses the features, that the patch takes away.
  private static func refuse(_ patch: KernelPatch, _ sites: [Site]) throws(PatchError) {
    let hunks = patch.files.flatMap { file in file.hunks.map { (file, $0) } }
    let added = hunks.filter { !$0.1.isComment }.flatMap { $0.1.added }.map(\.text)
    for (file, hunk) in hunks where !hunk.isComment {
      for line in hunk.removed {
        if let feature = DefinedBits.feature(line.text),
          !added.contains(where: { DefinedBits.feature($0) == feature }),
          sites.contains(where: { $0.feature?.number == feature })
        {
          throw reversed(patch, line, "the feature \(feature / 32)*32+\(feature % 32)")
        }
        let served = TestPlan.Hunk.entryPoints(of: file.path)
        if line.text.contains("CLEAR_BRANCH_HISTORY"), !served.isEmpty,
          !added.contains(where: { $0.contains("CLEAR_BRANCH_HISTORY") }),
          let site = sites.first(where: { $0.entryPoint.map(served.contains) ?? false })
        {
          throw reversed(patch, line, "the site at \(site.symbol ?? site.address.description)")
        }
      }
    }
  }

  private static func reversed(
    _ patch: KernelPatch, _ line: PatchLine, _ what: String
  ) -> PatchError {
    PatchError(
      file: patch.source, line: line.number,
      message: "takes away \(what), which the build given with --after uses: the patch is "
        + "reversed, or the build is the one before it")
  }

  private static func isConstant(_ line: PatchLine) -> Bool {
    line.text.contains("#define") && AreaRules.speaks(line.text)
  }

  /// A build that has the texts which the patch removes, and none that it adds, is the one before.
  private static func refuse(
    _ patch: KernelPatch, before: KernelImage?, after: KernelImage
  ) throws(PatchError) {
    for file in patch.files where file.path.hasSuffix(".c") || file.path.hasSuffix(".h") {
      for hunk in file.hunks where !hunk.isComment {
        let removed = Set(hunk.removed.flatMap { literals($0.text) })
        let added = Set(hunk.added.flatMap { literals($0.text) })
        let gone = removed.subtracting(added)
        let new = added.subtracting(removed)
        // A text that the other build has, too, may come from anywhere.
        guard !gone.isEmpty, !new.isEmpty || gone.count > 1 || gone.contains(where: isTelling),
          gone.allSatisfy({ text in
            isIn(after, text) && !(before.map { isIn($0, text) } ?? false)
          }), !new.contains(where: { isIn(after, $0) })
        else { continue }
        let line = hunk.removed.first { !gone.isDisjoint(with: literals($0.text)) }
        throw PatchError(
          file: patch.source, line: line?.number ?? hunk.number,
          message: "removes \"\(gone.sorted().first ?? "")\", which the build given with --after "
            + "has: the patch is reversed, or the build is the one before it")
      }
    }
  }

  /// The parts of a line's string literals that reach the image as they stand: without formats and
  /// escapes, and long enough to be no chance.
  private static func literals(_ line: String) -> [String] {
    let parts = line.split(separator: "\"", omittingEmptySubsequences: false)
    var found: [String] = []
    for (index, part) in parts.enumerated() where !index.isMultiple(of: 2) {
      let runs = part.split { $0 == "%" || $0 == "\\" }
      if let longest = runs.max(by: { $0.count < $1.count }), longest.count >= 10 {
        found.append(String(longest))
      }
    }
    return found
  }

  private static func isIn(_ image: KernelImage, _ text: String) -> Bool {
    image.contains(Array(text.utf8))
  }
}
