import CElf
import Glibc

/// Reads what an image says about itself.
struct IdentityReader: Sendable {
  let tables: ImageTables
  let artefact: Artefact

  private var space: AddressSpace { tables.space }

  func identity(_ elf: borrowing ElfFile) throws(ImageError) -> Identity {
    Identity(
      banner: banner(), buildID: try elf.buildID(tables.sections),
      architecture: elf.is64Bit ? "x86_64" : "i386", size: space.contents.bytes.count,
      artefactCommandLine: artefact.embeddedCommandLine, details: Lazy { details() })
  }

  /// `linux_banner`, or, where symbols do not lead to it, the first text in the data that begins
  /// like one.
  private func banner() -> String? {
    let start = "Linux version "
    let bySymbol = tables.symbols.address(of: "linux_banner")
      .flatMap { space.text(at: $0, limit: 1024) }
      .map { String(decoding: $0, as: UTF8.self) }
    let text = bySymbol.flatMap { $0.hasPrefix(start) ? $0 : nil } ?? search(start)
    return text.map { String($0.prefix { $0 != "\n" }) }
  }

  /// The first zero-terminated text in loaded data that begins with `start` and a digit. Without
  /// section headers it is looked for in the whole file.
  private func search(_ start: String) -> String? {
    for region in dataRegions() {
      let raw = region.raw
      var from = 0
      while let found = raw.firstOffset(of: Array(start.utf8), from: from) {
        let text = raw[found...].prefix(1024).prefix { $0 != 0 }
        if let digit = text.dropFirst(start.utf8.count).first, (0x30...0x39).contains(digit) {
          return String(decoding: text, as: UTF8.self)
        }
        from = found + 1
      }
    }
    return nil
  }

  /// `.rodata` first, then other loaded data that is no code.
  private func dataRegions() -> [Blob] {
    let data = tables.sections.filter { $0.isLoaded && $0.hasBytes && !$0.isExecutable }
    guard !data.isEmpty else { return [Blob(space.contents)] }
    let ordered = data.filter { $0.name == ".rodata" } + data.filter { $0.name != ".rodata" }
    return ordered.compactMap {
      Blob(space.contents, offset: $0.fileOffset, count: $0.size)
    }
  }

  private func details() -> Identity.Details {
    let configuration = builtInConfiguration() ?? packagedConfiguration()
    return Identity.Details(
      configuration: configuration, commandLine: commandLine(configuration),
      bootconfig: text(between: "embedded_bootconfig_data"),
      embeddedCommandLine: text(between: "embedded_kernel_cmdline"))
  }

  /// The configuration in the image (CONFIG_IKCONFIG): gzip between two marks (kernel/configs.c).
  private func builtInConfiguration() -> Configuration? {
    let start = "kernel_config_data"
    if let bytes = tables.bytes(from: start, to: start + "_end", orSection: nil) {
      return Configuration(compressed: bytes)
    }
    if namesData { return nil }
    let (opening, closing) = (Array("IKCFG_ST".utf8), Array("IKCFG_ED".utf8))
    for region in dataRegions() {
      let raw = region.raw
      if let start = raw.firstOffset(of: opening, from: 0),
        let end = raw.firstOffset(of: closing, from: start),
        let bytes = raw.part(from: start + opening.count, count: end - start - opening.count)
      {
        return Configuration(compressed: bytes)
      }
    }
    return nil
  }

  private func packagedConfiguration() -> Configuration? {
    artefact.configuration.map { Configuration(.package, $0.contents) }
  }

  /// Whether the symbols name data too. Kernels without KALLSYMS_ALL keep the names of code only;
  /// every kernel has this variable.
  private var namesData: Bool { tables.symbols.address(of: "boot_command_line") != nil }

  private func commandLine(_ configuration: Configuration?) -> String? {
    if let configuration {
      guard configuration.value(of: "CONFIG_CMDLINE_BOOL") == "y" else { return "" }
      return configuration.value(of: "CONFIG_CMDLINE") ?? ""
    }
    guard let address = tables.symbols.address(of: "builtin_cmdline") else {
      // arch/x86/kernel/setup.c defines it only for CONFIG_CMDLINE_BOOL.
      return namesData ? "" : nil
    }
    return space.text(at: address, limit: 4096).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Text between a symbol and the one that marks its end (lib/bootconfig-data.S,
  /// lib/embedded-cmdline.S).
  private func text(between start: String) -> String? {
    guard let bytes = tables.bytes(from: start, to: start + "_end", orSection: nil) else {
      return nil
    }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}

extension ElfFile {
  /// The build-id (an NT_GNU_BUILD_ID note of "GNU") in lower-case hex; nil if there is none.
  func buildID(_ sections: [Section]) throws(ImageError) -> String? {
    for section in sections where section.type == UInt32(SHT_NOTE) && section.size > 0 {
      guard let descriptor = elf_getscn(handle, section.index),
        let data = elf_getdata(descriptor, nil)
      else {
        throw ImageError.libelf("has unreadable notes", offset: UInt64(section.fileOffset))
      }
      if let found = Self.buildID(data) { return found }
    }
    guard sections.isEmpty else { return nil }
    for segment in try noteSegments() {
      guard
        let data = elf_getdata_rawchunk(
          handle, Int64(segment.offset), segment.size, ELF_T_NHDR)
      else { throw ImageError.libelf("has unreadable notes", offset: UInt64(segment.offset)) }
      if let found = Self.buildID(data) { return found }
    }
    return nil
  }

  private static func buildID(_ data: UnsafeMutablePointer<Elf_Data>) -> String? {
    guard let bytes = data.pointee.d_buf else { return nil }
    let raw = UnsafeRawBufferPointer(start: bytes, count: data.pointee.d_size)
    var (offset, nameOffset, descriptorOffset) = (0, 0, 0)
    var note = GElf_Nhdr()
    while true {
      let next = gelf_getnote(data, offset, &note, &nameOffset, &descriptorOffset)
      guard next > 0 else { return nil }
      if note.n_type == UInt32(NT_GNU_BUILD_ID),
        let name = raw.part(from: nameOffset, count: Int(note.n_namesz)),
        name.elementsEqual([0x47, 0x4E, 0x55, 0]), note.n_descsz <= 64,
        let id = raw.part(from: descriptorOffset, count: Int(note.n_descsz)), !id.isEmpty
      {
        let digits = Array("0123456789abcdef")
        return String(id.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
      }
      offset = next
    }
  }
}
