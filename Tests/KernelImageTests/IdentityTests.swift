import KernelImage
import Testing

private let codeAddress: UInt64 = 0xFFFF_FFFF_8100_0000
private let dataAddress: UInt64 = 0xFFFF_FFFF_8200_0000
private let banner = "Linux version 6.99.0-sample (us@here) (gcc) #1 SMP"

private func image(
  data: [UInt8], symbols: [ElfBuilder.Symbol] = [], notes: [UInt8] = [], headers: Bool = true,
  configuration: String? = nil
) throws -> KernelImage {
  var builder = ElfBuilder(parts: [
    .init(name: ".text", flags: 6, address: codeAddress, bytes: [0xC3]),
    .init(name: ".rodata", address: dataAddress, bytes: data),
    .init(name: ".notes", type: 7, address: dataAddress + 0x1000, bytes: notes),
  ])
  builder.symbols = symbols
  builder.hasSectionHeaders = headers
  return try KernelImage.opening(builder.file, configuration: configuration)
}

@Suite("Identity")
struct IdentityTests {
  @Test func `the banner is found by its symbol, else by its text`() throws {
    let other = Array("Linux version %s\0".utf8)
    let data = other + Array("\(banner)\n\0".utf8)
    for symbols in [
      [ElfBuilder.Symbol(name: "linux_banner", value: dataAddress + UInt64(other.count))],
      [ElfBuilder.Symbol(name: "linux_banner", value: 1)], [],
    ] {
      for headers in [true, false] {
        let identity = try image(data: data, symbols: symbols, headers: headers).identity
        #expect(identity.banner == banner)
        #expect(identity.release == "6.99.0-sample")
        #expect(identity.architecture == "x86_64")
      }
    }
    #expect(try image(data: other).identity.banner == nil)
    #expect(try image(data: other).identity.release == nil)
    #expect(try image(data: Array("Linux versio".utf8)).identity.banner == nil)
  }

  @Test func `the build-id is the note of the linker`() throws {
    func note(_ owner: String, _ type: UInt32, _ text: [UInt8]) -> [UInt8] {
      let name = Array(owner.utf8) + [0]
      let padding = [UInt8](repeating: 0, count: -name.count & 3)
      return little(UInt32(name.count)) + little(UInt32(text.count)) + little(type) + name + padding
        + text
    }
    let id: [UInt8] = [0x01, 0xAB, 0xFF, 0x00]
    let notes = note("Xen", 3, [9, 9, 9, 9]) + note("GNU", 1, [0, 0, 0, 0]) + note("GNU", 3, id)
    #expect(try image(data: [0], notes: notes).identity.buildID == "01abff00")
    for count in 0..<notes.count {
      #expect(try image(data: [0], notes: Array(notes[..<count])).identity.buildID == nil)
    }
  }

  @Test func `the configuration is looked up in the text that came with the kernel`() throws {
    let text =
      "CONFIG_64BIT=y\n# CONFIG_KVM is not set\nCONFIG_CMDLINE_BOOL=y\nCONFIG_CMDLINE=\"\"\n"
    let identity = try image(data: [0], configuration: text).identity
    #expect(identity.configurationSource == .package)
    #expect(identity.option("CONFIG_64BIT") == "y")
    #expect(identity.option("CONFIG_KVM") == "n")
    #expect(identity.option("CONFIG_KV") == nil)
    #expect(identity.option("CONFIG_NONE") == nil)
    #expect(identity.builtInCommandLine == "")
    #expect(identity.builtInOverrides == false)
  }

  @Test func `the configuration in the image comes first, by symbol or by its marks`() throws {
    let data = Array("IKCFG_ST".utf8) + Self.compressed + Array("IKCFG_ED".utf8)
    let symbols = [
      ElfBuilder.Symbol(name: "kernel_config_data", value: dataAddress + 8),
      ElfBuilder.Symbol(
        name: "kernel_config_data_end", value: dataAddress + 8 + UInt64(Self.compressed.count)),
    ]
    for symbols in [symbols, []] {
      let identity = try image(data: data, symbols: symbols, configuration: "CONFIG_KVM=y\n")
        .identity
      #expect(identity.configurationSource == .image)
      #expect(identity.option("CONFIG_KVM") == "m")
      #expect(identity.option("CONFIG_KVM_INTEL") == "n")
      #expect(identity.option("CONFIG_NR_CPUS") == "64")
      #expect(identity.builtInCommandLine == "say=\"hi\" quiet")
      #expect(identity.builtInOverrides == true)
    }
    for position in [8, 10, 18, data.count - 9] {
      var damaged = data
      damaged[position] ^= 0xFF
      #expect(try image(data: damaged).identity.configurationSource == nil)
    }
  }

  @Test func `without a configuration the symbols tell of a built-in command line`() throws {
    let variable = ElfBuilder.Symbol(name: "boot_command_line", value: dataAddress + 0x100)
    let line = ElfBuilder.Symbol(name: "builtin_cmdline", value: dataAddress)
    let data = Array("quiet\0".utf8)
    let given = try image(data: data, symbols: [variable, line]).identity
    #expect(given.builtInCommandLine == "quiet")
    #expect(given.builtInOverrides == nil)
    let none = try image(data: data, symbols: [variable]).identity
    #expect(none.builtInCommandLine == "")
    #expect(none.builtInOverrides == false)
    let unknown = try image(data: data).identity
    #expect(unknown.builtInCommandLine == nil)
    #expect(unknown.builtInOverrides == nil)
  }

  @Test func `an embedded boot configuration is shown`() throws {
    let text = "kernel.mitigations = off\n"
    let symbols = [
      ElfBuilder.Symbol(name: "embedded_bootconfig_data", value: dataAddress),
      ElfBuilder.Symbol(
        name: "embedded_bootconfig_data_end", value: dataAddress + UInt64(text.utf8.count)),
    ]
    #expect(try image(data: Array(text.utf8), symbols: symbols).identity.bootconfig == text)
    #expect(try image(data: Array(text.utf8)).identity.bootconfig == nil)
  }

  /// `gzip -9n` of a configuration of seven lines.
  private static let compressed: [UInt8] = [
    0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0x53, 0x56, 0xF0, 0xC9, 0xCC,
    0x2B, 0xAD, 0x50, 0x48, 0xCE, 0xCF, 0x4B, 0xCB, 0x4C, 0xE7, 0x72, 0xF6, 0xF7, 0x73, 0xF3,
    0x74, 0x8F, 0xF7, 0x0E, 0xF3, 0xB5, 0xCD, 0xE5, 0x52, 0x56, 0x40, 0x70, 0xE3, 0x3D, 0xFD,
    0x42, 0x5C, 0x7D, 0x14, 0x32, 0x8B, 0x15, 0xF2, 0xF2, 0x4B, 0x14, 0x8A, 0x53, 0x4B, 0x60,
    0x4A, 0x9D, 0x7D, 0x5D, 0x7C, 0x3C, 0xFD, 0x5C, 0xE3, 0x9D, 0xFC, 0xFD, 0x7D, 0x6C, 0x2B,
    0xD1, 0x44, 0x6D, 0x95, 0x8A, 0x13, 0x2B, 0x6D, 0x63, 0x94, 0x32, 0x32, 0x63, 0x94, 0x14,
    0x0A, 0x4B, 0x33, 0x53, 0x4B, 0x94, 0x60, 0x2A, 0xFC, 0x82, 0xE2, 0x9D, 0x03, 0x42, 0x83,
    0x6D, 0xCD, 0x4C, 0xD0, 0x4D, 0xF2, 0x0F, 0x73, 0x0D, 0x0A, 0xF2, 0x74, 0x71, 0x05, 0x9A,
    0x06, 0x00, 0x26, 0xA4, 0x03, 0x4C, 0x9E, 0x00, 0x00, 0x00,
  ]
}
