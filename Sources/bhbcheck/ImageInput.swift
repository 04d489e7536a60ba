import ArgumentParser
import Inspection
import KernelImage
import Mitigation

/// What belongs to an image and is not in it.
struct Companions: ParsableArguments {
  @Option(
    name: .customLong("module"),
    help: ArgumentHelp(
      "A module that belongs to the image, such as kvm-intel.ko.", valueName: "file"))
  var modules: [String] = []

  @Option(help: ArgumentHelp("Symbols for an image that has none.", valueName: "file"))
  var systemMap: String?
}

/// The image of a command that takes one.
struct OneImageInput: ParsableArguments {
  @Argument(help: "The image; see `bhbcheck help inspect`.")
  var image: String?

  @OptionGroup var companions: Companions

  @Option(help: ArgumentHelp("A small image that is built in: \(Sample.names).", valueName: "name"))
  var sample: Sample?

  /// The same as the input of a command that takes several.
  var images: ImageInput {
    var input = ImageInput()
    input.images = image.map { [$0] } ?? []
    input.companions = companions
    input.sample = sample.map { [$0] } ?? []
    return input
  }
}

/// What to look at.
struct ImageInput: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "vmlinux, vmlinuz, a unified kernel image, a module, a package (.deb, .rpm, tar), or a folder.",
      discussion: "Without one: the running kernel's image.", valueName: "image"))
  var images: [String] = []

  @OptionGroup var companions: Companions

  @Option(help: ArgumentHelp("A small image that is built in: \(Sample.names).", valueName: "name"))
  var sample: [Sample] = []

  /// What was given, for a line about it.
  var words: String {
    let names = sample.map { "the sample \($0.rawValue)" } + images
    return names.isEmpty ? "the running kernel" : names.joined(separator: ", ")
  }

  /// Opens everything; what fails is an artefact with its failure.
  func artefacts() -> [Artefact] {
    var artefacts = sample.map(\.artefact)
    for path in images {
      do throws(ImageError) {
        artefacts += try Artefact.open(path: path)
      } catch {
        artefacts.append(Artefact(path: path, failure: error))
      }
    }
    if images.isEmpty && sample.isEmpty {
      do throws(ImageError) {
        artefacts.append(try Artefact.running())
      } catch {
        artefacts.append(Artefact(path: "the running kernel", failure: error))
      }
    }
    return artefacts
  }

  /// The inspector with what was given beside the images.
  func inspector(
    matrix: Matrix?, runner: PathRunner, policy: Policy?, discovery: Discovery? = nil
  ) throws(ImageError) -> Inspector {
    var members: [Artefact.Member] = []
    for path in companions.modules {
      members += try named(path) { path throws(ImageError) in
        try Artefact.openModules(path: path)
      }
    }
    var map: Artefact.Member?
    if let systemMap = companions.systemMap {
      map = try named(systemMap) { path throws(ImageError) in try Artefact.openText(path: path) }
    }
    return Inspector(
      matrix: matrix, runner: runner, policy: policy, discovery: discovery, modules: members,
      systemMap: map)
  }

  private func named<Value>(
    _ path: String, _ open: (String) throws(ImageError) -> Value
  ) throws(ImageError) -> Value {
    do {
      return try open(path)
    } catch {
      throw error.inside(path)
    }
  }
}

extension ImageError {
  /// The exit status of a run that cannot begin because of it.
  var exitStatus: ExitCode { ExitCode(ImageFailure(self).code.exitStatus) }
}
