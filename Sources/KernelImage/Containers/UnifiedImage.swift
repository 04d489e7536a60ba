/// A unified kernel image: a PE file whose sections hold a kernel and its command line.
///
/// Source: UAPI group, "Unified Kernel Image (UKI)"; Microsoft, "PE Format" (headers, sections).
struct UnifiedImage {
  /// Where section `.linux` lies, in bytes from the start of the file.
  let linux: Range<Int>
  /// The text of section `.cmdline` without the bytes that end it; nil if there is none.
  let commandLine: String?

  /// Source: "PE Format", Machine Types.
  private static let machines: [UInt16: String] = [
    0x0200: "IA-64", 0x01C0: "ARM", 0x01C2: "ARM", 0x01C4: "ARM", 0xAA64: "ARM64",
    0x5032: "RISC-V 32", 0x5064: "RISC-V 64", 0x6232: "LoongArch 32", 0x6264: "LoongArch 64",
  ]

  init(_ file: UnsafeRawBufferPointer) throws(ImageError) {
    guard let headerField = file.integer(UInt32.self, at: 0x3C) else {
      throw ImageError(
        .truncated, "a PE file's first header has 64 bytes, the file \(file.count)",
        offset: UInt64(file.count))
    }
    let header = Int(headerField)
    guard file.holds(Array("PE\0\0".utf8), at: header) else {
      throw ImageError(
        header > file.count - 4 ? .truncated : .unsupportedFormat,
        "starts like a PE file, but has no PE header", offset: UInt64(header))
    }
    guard let machine = file.integer(UInt16.self, at: header + 4),
      let sectionCount = file.integer(UInt16.self, at: header + 6),
      let optionalSize = file.integer(UInt16.self, at: header + 20)
    else {
      throw ImageError(.truncated, "ends within its PE header", offset: UInt64(file.count))
    }
    guard machine == 0x8664 || machine == 0x014C else {
      let name = Self.machines[machine] ?? "PE machine 0x\(String(machine, radix: 16))"
      throw ImageError(
        .wrongArchitecture, "is for \(name), not for x86", offset: UInt64(header + 4))
    }
    var linux: Range<Int>?
    var commandLine: Range<Int>?
    for index in 0..<Int(sectionCount) {
      let at = header + 24 + Int(optionalSize) + index * 40
      guard let name = file.part(from: at, count: 8) else {
        throw ImageError(.truncated, "ends within its section table", offset: UInt64(file.count))
      }
      // A profile's sections follow the common ones under the same names: the first one counts.
      if linux == nil, name.holds(Array(".linux\0\0".utf8)) {
        linux = try Self.contents(of: file, sectionAt: at, named: ".linux")
      } else if commandLine == nil, name.holds(Array(".cmdline".utf8)) {
        commandLine = try Self.contents(of: file, sectionAt: at, named: ".cmdline")
      }
    }
    guard let linux else {
      throw ImageError(
        .noKernel, "is a PE file without a section .linux and without an x86 setup header",
        offset: UInt64(header))
    }
    self.linux = linux
    self.commandLine = commandLine.map { range in
      var text = String(decoding: file[range].prefix { $0 != 0 }, as: UTF8.self)
      while text.last?.isWhitespace == true { text.removeLast() }
      return text
    }
  }

  private static func contents(
    of file: UnsafeRawBufferPointer, sectionAt header: Int, named name: String
  ) throws(ImageError) -> Range<Int> {
    guard let virtualSize = file.integer(UInt32.self, at: header + 8),
      let rawSize = file.integer(UInt32.self, at: header + 16),
      let start = file.integer(UInt32.self, at: header + 20)
    else { throw ImageError(.truncated, "ends within its section table", offset: UInt64(header)) }
    // The raw size is rounded up to the file alignment; the virtual size is the real one.
    let size = virtualSize == 0 ? rawSize : min(virtualSize, rawSize)
    let end = Int(start) + Int(size)
    guard end <= file.count else {
      throw ImageError(
        .truncated,
        "section \(name) ends at 0x\(String(end, radix: 16)), the file has \(file.count) bytes",
        offset: UInt64(file.count))
    }
    return Int(start)..<end
  }
}
