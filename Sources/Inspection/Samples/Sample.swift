public import KernelImage

/// A small image of our own that is compiled in, to try the tool without a kernel at hand.
///
/// Built from vmlinux-samples/; a test builds it anew and compares what is true of it.
public enum Sample: String, Sendable, Hashable, CaseIterable {
  case short, long

  /// All names, for help texts.
  public static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

  private var bytes: [UInt8] {
    switch self {
    case .short: PackageResources.short_vmlinux
    case .long: PackageResources.long_vmlinux
    }
  }

  public var artefact: Artefact {
    let name = "sample \(rawValue)"
    do throws(ImageError) {
      let bytes = self.bytes
      let contents = try ImageBytes.filling(capacity: bytes.count) { buffer throws(ImageError) in
        buffer.copyBytes(from: bytes)
        return bytes.count
      }
      return Artefact(
        path: name,
        kernel: Artefact.Member(name: name, contents: Artefact.Contents(contents), layers: []))
    } catch {
      return Artefact(path: name, failure: error)
    }
  }
}
