/// One file with every layer taken off: compression, boot image, unified kernel image.
struct UnwrappedElf {
  /// The ELF file itself.
  let contents: Artefact.Contents
  /// What was taken off, outermost first.
  let layers: [String]
  let outline: ElfOutline
  /// The command line of a unified kernel image.
  let commandLine: String?

  /// More layers than a kernel ever has: a compressed unified image of a compressed boot image.
  static let deepest = 4

  init(_ file: Artefact.Contents, layers: [String] = []) throws(ImageError) {
    var contents = file
    var layers = layers
    var commandLine: String?
    for _ in 0..<Self.deepest {
      if case .elf = contents.kind {
        outline = try ElfOutline(contents)
        self.contents = contents
        self.layers = layers
        self.commandLine = commandLine
        return
      }
      let inner = try contents.withBytes { bytes throws(ImageError) in
        try Layer.takenOff(bytes)
      }
      contents = inner.contents
      layers += inner.names
      commandLine = commandLine ?? inner.commandLine
    }
    throw ImageError(.unsupportedFormat, "is packed more than \(Self.deepest) times over")
  }
}

/// What one layer held.
private struct Layer {
  var contents: Artefact.Contents
  var names: [String]
  var commandLine: String?

  static func takenOff(_ bytes: UnsafeRawBufferPointer) throws(ImageError) -> Layer {
    switch FileKind(bytes) {
    case .bzImage:
      return try bootImage(bytes)
    case .pe:
      return try unifiedImage(bytes)
    case .compressed(let compression):
      var writer = try MemoryWriter(limit: Payload.largestKernel)
      guard try compression.unpack(bytes, into: &writer) else {
        throw ImageError(
          .tooLarge, "unpacks to more than \(Payload.largestKernel) bytes",
          offset: UInt64(bytes.count))
      }
      return Layer(
        contents: Artefact.Contents(try writer.finish()), names: [compression.rawValue])
    case .foreign(let architecture):
      throw ImageError(.wrongArchitecture, "is a boot image for \(architecture)", offset: 0)
    case let kind:
      throw ImageError(
        .unsupportedFormat, "is \(kind.name), where a kernel or a module was expected", offset: 0)
    }
  }

  private static func unifiedImage(
    _ bytes: UnsafeRawBufferPointer
  ) throws(ImageError) -> Layer {
    let image = try UnifiedImage(bytes)
    let linux = UnsafeRawBufferPointer(rebasing: bytes[image.linux])
    guard case .bzImage = FileKind(linux) else {
      throw ImageError(
        .unsupportedFormat, "section .linux holds \(FileKind(linux).name), not a bzImage",
        offset: UInt64(image.linux.lowerBound))
    }
    do {
      var layer = try bootImage(linux)
      layer.names.insert("uki", at: 0)
      layer.commandLine = image.commandLine
      return layer
    } catch {
      throw error.moved(by: image.linux.lowerBound)
    }
  }

  private static func bootImage(_ bytes: UnsafeRawBufferPointer) throws(ImageError) -> Layer {
    let place = try BootSector(bytes).payload
    let payload = try Payload(
      UnsafeRawBufferPointer(rebasing: bytes[place]), at: place.lowerBound)
    let kernel: ImageBytes
    do {
      kernel = try payload.unpack()
    } catch {
      throw error.moved(by: place.lowerBound)
    }
    guard kernel.raw.holds(ElfOutline.magic) else {
      throw ImageError(
        .malformed, "the payload unpacks to \(FileKind(kernel.raw).name), not to an ELF file",
        offset: UInt64(place.lowerBound))
    }
    return Layer(
      contents: Artefact.Contents(kernel), names: ["bzImage", payload.compression.rawValue])
  }
}

extension Artefact.Contents {
  /// Calls `body` with the bytes, which stay alive while it runs.
  func withBytes<Result: ~Copyable>(
    _ body: (UnsafeRawBufferPointer) throws(ImageError) -> Result
  ) throws(ImageError) -> Result {
    try withExtendedLifetime(self) { () throws(ImageError) -> Result in try body(bytes.raw) }
  }

  var kind: FileKind { withExtendedLifetime(self) { FileKind(bytes.raw) } }
}

extension ImageError {
  /// The same error, its offset counted from the start of the file that holds the faulty part.
  func moved(by distance: Int) -> ImageError {
    var error = self
    error.offset = error.offset.map { $0.addingReportingOverflow(UInt64(distance)).partialValue }
    return error
  }
}

extension Artefact.Member {
  /// An unwrapped kernel or module under its name.
  init(name: String, _ elf: UnwrappedElf) {
    self.init(name: name, contents: elf.contents, layers: elf.layers)
  }
}
