import Alternatives
import BootMachine
import KernelImage
import Mitigation
import Testing

@testable import Inspection

/// A sample that is compiled in, with bytes of its own in some places.
struct PatchedSample {
  private var bytes: [UInt8]
  private let original: KernelImage

  init(_ sample: Sample) throws {
    let artefact = sample.artefact
    original = try KernelImage(artefact)
    bytes = Array(try #require(artefact.kernel).contents.bytes.raw)
  }

  /// Writes bytes where a symbol is.
  mutating func put(_ new: [UInt8], at symbol: String, offset: Int = 0) throws {
    let address = try #require(original.symbols.address(of: symbol)) + UInt64(offset)
    let segment = try #require(original.segments.first { $0.backed.contains(address) })
    let place = segment.fileOffset + Int(address - segment.address)
    bytes.replaceSubrange(place..<place + new.count, with: new)
  }

  func kernel() throws -> KernelImage {
    let contents = try bytes.withUnsafeBytes { raw throws(ImageError) in
      Artefact.Contents(try ImageBytes.copying(raw))
    }
    let member = Artefact.Member(name: "vmlinux", contents: contents, layers: [])
    return try KernelImage(Artefact(path: "patched", kernel: member))
  }

  /// Boots it once, as the row that `filter` names, and says what came of it.
  func run(_ filter: MatrixFilter = MatrixFilter(processors: ["ice-lake-sp"])) throws -> BootResult
  {
    let program = try BootProgram(kernel: kernel())
    let row = try #require(try Matrix.standard(MatrixCatalog.standard(), filter: filter).rows.first)
    return try #require(PathRunner(wantsTrace: true).results([row], of: program).first)
  }
}

extension BootProgram {
  convenience init(kernel: KernelImage) throws {
    try self.init(kernel, try StaticAnalysis(kernel))
  }
}
