import Testing

@testable import KernelImage

/// Kernels inside boot images.
struct PayloadTests {
  /// Unpacked, a payload is the ELF file and the relocations behind it.
  private static let kernel =
    SmallElf(code: (0..<40_000).map { UInt8(truncatingIfNeeded: $0 / 7) })
    .bytes + [UInt8](repeating: 0x5A, count: 1000)

  @Test(arguments: Compression.allCases)
  func everyCompressionGivesTheKernelBack(_ compression: Compression) throws {
    let image = SmallImages.bootImage(payload: SmallImages.payload(Self.kernel, compression))
    let found = try opened(image, as: "vmlinuz-test")
    #expect(found.count == 1)
    let kernel = try #require(found.first?.kernel)
    #expect(kernel.array == Self.kernel)
    #expect(kernel.layers == ["bzImage", compression.rawValue])
    #expect(kernel.name == "vmlinuz-test")
    #expect(found.first?.failure == nil)
  }

  @Test(arguments: Compression.allCases)
  func aCompressedKernelFileIsOpenedToo(_ compression: Compression) throws {
    let vmlinux = try opened(SmallImages.compressed(Self.kernel, compression))
    #expect(vmlinux.first?.kernel?.array == Self.kernel)
    #expect(vmlinux.first?.kernel?.layers == [compression.rawValue])
    let bootImage = try opened(
      SmallImages.compressed(SmallImages.bootImage(of: Self.kernel, .xz), compression))
    #expect(bootImage.first?.kernel?.layers == [compression.rawValue, "bzImage", "xz"])
  }

  @Test(arguments: Compression.allCases, [-1, 1])
  func aWrongSizeIsToldNotTaken(_ compression: Compression, _ difference: Int) throws {
    let image = SmallImages.bootImage(
      payload: SmallImages.payload(
        Self.kernel, compression, statedSize: Self.kernel.count + difference))
    let error = try #require(failure(of: image))
    #expect(error.code == .malformed)
    #expect(error.message.contains("\(Self.kernel.count + difference)"))
    #expect(error.offset != nil)
  }

  @Test(arguments: Compression.allCases)
  func aPayloadThatExplodesIsBounded(_ compression: Compression) throws {
    let zeros = [UInt8](repeating: 0, count: 4 << 20)
    let image = SmallImages.bootImage(
      payload: SmallImages.payload(SmallElf().bytes + zeros, compression, statedSize: 5000))
    #expect(failure(of: image)?.code == .malformed)
    let huge = SmallImages.bootImage(
      payload: SmallImages.payload(Self.kernel, compression, statedSize: (1 << 30) + 1))
    #expect(failure(of: huge)?.code == .tooLarge)
    let none = SmallImages.bootImage(
      payload: SmallImages.payload(Self.kernel, compression, statedSize: 0))
    #expect(failure(of: none)?.code == .malformed)
  }

  @Test(arguments: Compression.allCases)
  func aCutPayloadIsTruncated(_ compression: Compression) throws {
    // The stream ends early, although the boot header is content.
    let packed = SmallImages.compressed(Self.kernel, compression)
    let cut = packed.prefix(packed.count / 2) + encoded(UInt32(Self.kernel.count))
    let error = try #require(failure(of: SmallImages.bootImage(payload: Array(cut))))
    #expect(error.code == .truncated || error.code == .malformed)
    #expect((error.offset ?? 0) >= 2048 + 0x40)
  }

  /// As the kernel does, which looks how long the frame is.
  @Test func whatFollowsAFrameIsPassedOver() throws {
    let packed = SmallImages.compressed(Self.kernel, .zstd)
    let payload = packed + Array("padding".utf8) + encoded(UInt32(Self.kernel.count))
    let found = try opened(SmallImages.bootImage(payload: payload))
    #expect(found.first?.kernel?.array == Self.kernel)
  }

  @Test func aPayloadThatIsNoKernelIsRefused() throws {
    let text = Array("not an ELF file at all".utf8)
    let image = SmallImages.bootImage(payload: SmallImages.payload(text, .zstd))
    #expect(failure(of: image)?.code == .malformed)
    let unknown = try #require(
      failure(of: SmallImages.bootImage(payload: Array("plain bytes".utf8))))
    #expect(unknown.code == .unsupportedFormat)
    #expect(unknown.message.contains("70 6c 61 69 6e"))
    #expect(unknown.offset == 2048 + 0x40)
  }

  @Test func theBootHeaderIsChecked() throws {
    let payload = SmallImages.payload(Self.kernel, .zstd)
    let old = try #require(
      failure(of: SmallImages.bootImage(payload: payload, bootProtocol: 0x0207)))
    #expect(old.code == .unsupportedFormat)
    #expect(old.message.contains("2.7"))
    var beyond = SmallImages.bootImage(payload: payload)
    beyond.set(UInt32.max, at: 0x24C)
    #expect(failure(of: beyond)?.code == .truncated)
    beyond.set(UInt32.max, at: 0x248)
    #expect(failure(of: beyond)?.code == .truncated)
    var empty = SmallImages.bootImage(payload: payload)
    empty.set(UInt32(0), at: 0x24C)
    #expect(failure(of: empty)?.code == .malformed)
    // 0 stands for four sectors, and an image need not be an EFI program.
    let zero = SmallImages.bootImage(payload: payload, setupSectors: 0, isEFIStub: false)
    #expect(try opened(zero).first?.kernel?.array == Self.kernel)
  }

  @Test func aKernelOf32BitsIsValid() throws {
    let kernel = SmallElf(machine: 3, is64Bit: false).bytes
    let found = try opened(SmallImages.bootImage(of: kernel, .gzip))
    #expect(found.first?.kernel?.array == kernel)
  }

  @Test func noCompressionNeedsAProgram() {
    for filter in ArchiveReader.everyFilter { #expect(ArchiveReader.canFilter(filter)) }
    // Debian's libarchive would start lzop, and a filter nobody knows must not pass either.
    #expect(!ArchiveReader.canFilter(-7))
  }
}

/// The framing of lzop.
struct LzopTests {
  private func unpacked(_ stream: [UInt8], limit: Int = 1 << 20) throws -> [UInt8]? {
    var writer = try MemoryWriter(limit: limit)
    var fits = false
    try stream.withUnsafeBytes { bytes in
      var lzop = try Lzop(bytes)
      fits = try lzop.unpack(into: &writer)
    }
    let bytes = try writer.finish()
    return fits ? Array(bytes.raw) : nil
  }

  /// Half of it does not shrink, so that stored blocks are among them.
  private static let data: [UInt8] =
    [UInt8](repeating: 1, count: 9000)
    + (0..<9000).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) }

  @Test func blocksAreJoined() throws {
    #expect(try unpacked(SmallImages.lzop(Self.data, block: 1000)) == Self.data)
    #expect(try unpacked(SmallImages.lzop(Self.data, block: 256 << 10)) == Self.data)
  }

  @Test func whatDoesNotFitIsTold() throws {
    #expect(try unpacked(SmallImages.lzop(Self.data, block: 1000), limit: 17_999) == nil)
  }

  @Test func aWrongChecksumIsFound() throws {
    var stream = SmallImages.lzop(Self.data, block: 256 << 10)
    stream[stream.count - 100] ^= 1
    #expect(throws: ImageError.self) { try unpacked(stream) }
  }

  @Test func impossibleBlocksAreRefused() throws {
    let start = SmallImages.lzop([], block: 1).dropLast(4)
    let sizes: [(UInt32, UInt32)] = [
      (10, 11), (10, 0), (UInt32.max, 10), (UInt32.max, UInt32.max), (1 << 27, 1),
    ]
    for (unpackedSize, packedSize) in sizes {
      var stream = Array(start)
      stream += encoded(unpackedSize, bigEndian: true)
      stream += encoded(packedSize, bigEndian: true)
      stream += [UInt8](repeating: 0, count: 40)
      #expect(throws: ImageError.self) { try unpacked(stream) }
    }
  }
}
