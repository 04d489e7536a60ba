import KernelImage
import Testing

private let text = ElfBuilder.Part(
  name: ".text", flags: 6, address: 0xFFFF_FFFF_8100_0000, bytes: [0x90, 0xC3, 0x0F, 0x0B])
private let data = ElfBuilder.Part(
  name: ".rodata", address: 0xFFFF_FFFF_8200_0000, bytes: Array("hello\0world".utf8))

@Suite("ELF files")
struct ElfFileTests {
  @Test func `an image's bytes are found by address and by section`() throws {
    let image = try KernelImage.opening(ElfBuilder(parts: [text, data]).file)
    #expect(image.is64Bit)
    #expect(image.segments.map(\.address) == [text.address, data.address])
    #expect(image.sections.map(\.name) == ["", ".text", ".rodata", ".shstrtab"])
    #expect(image.read(UInt16.self, at: text.address + 2) == 0x0B0F)
    #expect(image.bytes(at: text.address, count: 4).map(Array.init) == text.bytes)
    #expect(image.cString(at: data.address) == "hello")
    #expect(image.section(containing: data.address + 3)?.name == ".rodata")
    let section = try #require(image.section(named: ".rodata"))
    #expect(image.contents(of: section).map(Array.init) == data.bytes)
    #expect(image.table(from: "none", to: "none_end", orSection: ".text")?.count == 4)
  }

  @Test func `nothing outside the file-backed part of one segment is read`() throws {
    var builder = ElfBuilder(parts: [text, data])
    builder.memorySize = 4096
    let image = try KernelImage.opening(builder.file)
    #expect(image.segments.first?.memorySize == 4096)
    #expect(image.bytes(at: text.address, count: 5) == nil)
    #expect(image.bytes(at: text.address + 4, count: 1) == nil)
    #expect(image.bytes(at: text.address &- 1, count: 2) == nil)
    #expect(image.bytes(at: text.address, count: -1) == nil)
    #expect(image.read(UInt64.self, at: text.address) == nil)
    #expect(image.read(UInt8.self, at: .max) == nil)
    #expect(image.cString(at: data.address + 6) == nil, "the text has no end")
    #expect(image.cString(at: data.address, limit: 5) == nil)
    #expect(image.cString(at: data.address, limit: -1) == nil)
  }

  @Test func `a file without section headers is an image`() throws {
    var builder = ElfBuilder(parts: [text, data])
    builder.hasSectionHeaders = false
    let image = try KernelImage.opening(builder.file)
    #expect(image.sections.isEmpty)
    #expect(image.cString(at: data.address) == "hello")
  }

  @Test func `a 32-bit x86 kernel is a valid image`() throws {
    // The header of the 32-bit class, a program header and four bytes of code.
    var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 1, 1, 1] + [UInt8](repeating: 0, count: 9)
    file += little(UInt16(2)) + little(UInt16(3)) + little(UInt32(1)) + little(UInt32(0x100_0000))
    file += little(UInt32(52)) + little(UInt32(0)) + little(UInt32(0))
    file += little(UInt16(52)) + little(UInt16(32)) + little(UInt16(1))
    file += little(UInt16(40)) + little(UInt16(0)) + little(UInt16(0))
    for word in [1, 84, 0xC100_0000, 0x100_0000, 4, 8, 5, 4] as [UInt32] { file += little(word) }
    file += [0x90, 0xC3, 0x0F, 0x0B]
    let image = try KernelImage.opening(file)
    #expect(!image.is64Bit)
    #expect(image.identity.architecture == "i386")
    #expect(image.read(UInt16.self, at: 0xC100_0000) == 0xC390)
    #expect(image.symbols.source == .none)
  }

  @Test(arguments: [
    (183, "64-bit ARM"), (243, "RISC-V"), (22, "IBM Z"), (9999, "machine 9999"),
  ])
  func `another architecture is named`(machine: UInt16, name: String) throws {
    let file = ElfBuilder(machine: machine, parts: [text]).file
    let error = #expect(throws: ImageError.self) { try KernelImage.opening(file) }
    #expect(error?.code == .wrongArchitecture)
    #expect(error?.message.contains(name) == true)
    #expect(error?.offset == 18)
  }

  @Test func `what is no kernel is told apart`() throws {
    func code(_ file: [UInt8]) throws -> ImageError.Code? {
      #expect(throws: ImageError.self) { try KernelImage.opening(file) }?.code
    }
    #expect(try code(Array("#!/bin/sh\n".utf8)) == .unsupportedFormat)
    #expect(try code([0x7F, 0x45, 0x4C, 0x46]) == .truncated)
    #expect(try code(ElfBuilder(type: 1, parts: [text]).file) == .noKernel)
    #expect(try code(ElfBuilder(type: 4, parts: [text]).file) == .noKernel)
    #expect(try code(ElfBuilder(elfClass: 1, parts: [text]).file) != nil)
    #expect(try code(ElfBuilder(byteOrder: 2, parts: [text]).file) != nil)
    var debug = text
    debug.type = 8
    #expect(try code(ElfBuilder(parts: [debug, data]).file) == .noKernel)
    let empty = #expect(throws: ImageError.self) { try KernelImage(Artefact(path: "empty")) }
    #expect(empty?.code == .noKernel)
  }

  @Test func `a file cut off anywhere is an error that says where`() throws {
    let symbols = [ElfBuilder.Symbol(name: "start", value: text.address)]
    let file = ElfBuilder(parts: [text, data], symbols: symbols).file
    for count in 4..<file.count {
      let error = #expect(throws: ImageError.self) {
        try KernelImage.opening(Array(file[..<count]))
      }
      #expect(error?.code == .truncated, "at \(count): \(String(describing: error))")
      #expect(error?.offset == UInt64(count))
    }
  }

  @Test func `a section that claims more than the file has is an error`() throws {
    for size in [4096, Int.max, -1] {
      var huge = data
      huge.size = size == -1 ? nil : size
      var file = ElfBuilder(parts: [text, huge]).file
      if size == -1 {
        // The last section header's offset near the end of the address space.
        file.replaceSubrange(file.count - 40..<file.count - 32, with: little(UInt64.max - 8))
      }
      let error = #expect(throws: ImageError.self) { try KernelImage.opening(file) }
      #expect(error?.code == .truncated)
    }
  }

  @Test func `a segment that wraps or has more in the file than in memory is malformed`() throws {
    var wrapping = ElfBuilder(parts: [text])
    wrapping.memorySize = 0x8000_0000
    #expect(throws: ImageError.self) { try KernelImage.opening(wrapping.file) }
    var shrunk = ElfBuilder(parts: [text])
    shrunk.memorySize = 1
    let error = #expect(throws: ImageError.self) { try KernelImage.opening(shrunk.file) }
    #expect(error?.code == .malformed)
  }

  @Test func `overlapping segments and sections are read without harm`() throws {
    var second = data
    second.address = text.address + 2
    let image = try KernelImage.opening(ElfBuilder(parts: [text, second]).file)
    #expect(image.read(UInt8.self, at: text.address + 2) == 0x0F)
    #expect(image.bytes(at: text.address + 2, count: 5).map(Array.init) == Array("hello".utf8))
  }

  @Test func `no changed byte of the headers brings the reader down`() throws {
    let symbols = [
      ElfBuilder.Symbol(name: "start", value: text.address, size: 4),
      ElfBuilder.Symbol(name: "linux_banner", value: data.address),
    ]
    let file = ElfBuilder(parts: [text, data], symbols: symbols).file
    for position in file.indices {
      for value in [0, 0x7F, 0x80, 0xFF] as [UInt8] where file[position] != value {
        var changed = file
        changed[position] = value
        do {
          let image = try KernelImage.opening(changed)
          _ = image.symbols.nearest(to: text.address + 1)
          _ = image.symbols.end(of: text.address)
          for section in image.sections { _ = image.contents(of: section) }
        } catch let error as ImageError {
          #expect(!error.message.isEmpty)
        }
      }
    }
  }
}
