import KernelImage
import Testing

@Suite("Modules")
struct KernelModuleTests {
  /// A module with one call to a symbol of the kernel.
  private func builder() -> ElfBuilder {
    var builder = ElfBuilder(type: 1)
    builder.parts = [
      .init(name: ".text", flags: 6, bytes: [0xE8, 0, 0, 0, 0, 0xC3]),
      .init(
        name: ".rela.text", type: 4, flags: 0,
        bytes: little(UInt64(1)) + little(UInt64(3) << 32 | 4) + little(Int64(-4)), link: 4,
        info: 1, entrySize: 24),
      .init(
        name: ".modinfo", flags: 2,
        bytes: Array("license=GPL\0vermagic=6.99.0-sample SMP mod_unload \0name=x\0".utf8)),
    ]
    builder.symbols = [
      .init(name: "", value: 0, info: 0x03), .init(name: "enter", value: 0, size: 6),
      .init(name: "clear_bhb_loop", value: 0, info: 0x10, section: 0),
    ]
    return builder
  }

  @Test func `relocations lead to symbols`() throws {
    let module = try KernelModule(.holding(builder().file, name: "kvm-intel.ko"))
    // The name that the kernel uses, not the file's.
    #expect(module.name == "x")
    #expect(module.release == "6.99.0-sample")
    let text = try #require(module.section(named: ".text"))
    #expect(module.contents(of: text)?.first == 0xE8)
    let relocation = try #require(try module.relocations(for: text).first)
    #expect(relocation.offset == 1)
    #expect(relocation.type == 4)
    #expect(relocation.addend == -4)
    let target = module.symbols[relocation.symbol]
    #expect(module.displayName(target) == "clear_bhb_loop")
    #expect(target.section == nil)
    #expect(module.displayName(module.symbols[1]) == ".text")
    #expect(module.nearest(to: 3, in: text)?.name == "enter")
    let none = try #require(module.section(named: ".modinfo"))
    #expect(try module.relocations(for: none).isEmpty)
    #expect(module.nearest(to: 3, in: none) == nil)
  }

  @Test func `a relocation that points outside is malformed`() throws {
    for (offset, symbol) in [(6, 3), (1, 4), (Int.max, 3), (1, 0xFFFF_FFFF)] {
      var builder = builder()
      builder.parts[1].bytes =
        little(UInt64(offset)) + little(UInt64(symbol) << 32 | 4) + little(Int64(0))
      let module = try KernelModule(.holding(builder.file))
      let text = try #require(module.section(named: ".text"))
      let error = #expect(throws: ImageError.self) { try module.relocations(for: text) }
      #expect(error?.code == .malformed)
    }
  }

  @Test func `what is no module is refused, and damage never brings the reader down`() throws {
    var kernel = builder()
    kernel.type = 2
    let error = #expect(throws: ImageError.self) { try KernelModule(.holding(kernel.file)) }
    #expect(error?.code == .unsupportedFormat)
    let file = builder().file
    for count in 4..<file.count {
      let error = #expect(throws: ImageError.self) {
        try KernelModule(.holding(Array(file[..<count])))
      }
      #expect(error?.code == .truncated)
    }
    for position in file.indices {
      var changed = file
      changed[position] ^= 0xFF
      do {
        let module = try KernelModule(.holding(changed))
        for section in module.sections { _ = try module.relocations(for: section) }
      } catch let error as ImageError {
        #expect(!error.message.isEmpty)
      }
    }
  }
}
