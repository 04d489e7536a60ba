import CArchive
import Glibc
import Testing

@testable import KernelImage

/// What a file may ask for has limits, and work grows no faster than the file.
@Suite("Limits") struct LimitTests {
  private static let codeAddress: UInt64 = 0xFFFF_FFFF_8100_0000
  private static let code = ElfBuilder.Part(
    name: ".text", flags: 6, address: codeAddress, bytes: [UInt8](repeating: 0x90, count: 4096))

  private func refusal(_ file: [UInt8]) -> ImageError? {
    do throws(ImageError) {
      _ = try ElfFile(contents(file)).sections()
      _ = try ElfFile(contents(file)).segments()
      return nil
    } catch {
      return error
    }
  }

  private func contents(_ bytes: [UInt8]) throws(ImageError) -> Artefact.Contents {
    let file = bytes
    return Artefact.Contents(
      try ImageBytes.filling(capacity: file.count) { buffer in
        buffer.copyBytes(from: file)
        return file.count
      })
  }

  // MARK: ELF

  @Test func segmentsAndSectionsAreCounted() throws {
    var builder = ElfBuilder(parts: [Self.code])
    #expect(refusal(builder.file) == nil)
    builder.parts = (0..<ElfFile.Limit.segments + 1).map { number in
      ElfBuilder.Part(
        name: "s", flags: 2, address: Self.codeAddress + UInt64(number) * 4096, bytes: [1])
    }
    #expect(refusal(builder.file)?.code == .tooLarge)

    // A header that counts them in the first section (gABI, "sh_size"): more than 65,279 do not fit.
    let count = ElfFile.Limit.sections + 1
    var file = ElfBuilder(parts: [Self.code], hasSectionHeaders: false).file
    let table = file.count
    file += [UInt8](repeating: 0, count: count * 64)
    file.set(UInt64(table), at: 0x28)
    file.set(UInt16(64), at: 0x3A)
    file.set(UInt16(0), at: 0x3C)
    file.set(UInt64(count), at: table + 32)
    #expect(refusal(file)?.code == .tooLarge)
  }

  /// Found by fuzzing: such an offset is no Int, and nothing of an empty segment has to lie in the file.
  @Test func anEmptySegmentFarBeyondTheFile() throws {
    var file = ElfBuilder(parts: [Self.code]).file
    // p_offset, p_filesz, p_memsz of the first segment.
    file.set(UInt64.max, at: 64 + 8)
    file.set(UInt64(0), at: 64 + 32)
    #expect(refusal(file)?.code == .malformed)
  }

  @Test func partsDoNotOverlap() throws {
    let builder = ElfBuilder(
      parts: [Self.code]
        + (0..<8).map { .init(name: ".data\($0)", bytes: [UInt8](repeating: 7, count: 64)) })
    var file = builder.file
    #expect(refusal(file) == nil)
    let table = Int(try #require(file.withUnsafeBytes { $0.integer(UInt64.self, at: 0x28) }))
    for section in 2..<9 {
      // sh_offset and sh_size: each is the whole file.
      file.set(UInt64(0), at: table + section * 64 + 24)
      file.set(UInt64(file.count), at: table + section * 64 + 32)
    }
    let error = try #require(refusal(file))
    #expect(error.code == .malformed)
    #expect(error.message.contains("overlap"))
  }

  @Test func aNameHasAnEnd() throws {
    let long = String(repeating: "x", count: ElfFile.Limit.name + 1)
    #expect(refusal(ElfBuilder(parts: [Self.code, .init(name: long)]).file)?.code == .malformed)
    let most = String(long.dropLast())
    #expect(refusal(ElfBuilder(parts: [Self.code, .init(name: most)]).file) == nil)
  }

  /// A probe past each of the others would take many minutes.
  @Test(.timeLimit(.minutes(2))) func symbolsOfOneNameAreFoundInTheirOrder() {
    let count = 400_000
    let found = NameIndex([UInt32](repeating: 7, count: count)).candidates(7)
    #expect(found == Array(0..<count))
    #expect(NameIndex([1, 2, 1, 17, 1]).candidates(1) == [0, 2, 4])
    #expect(NameIndex([]).candidates(1) == [])
  }

  @Test func aNameThatMillionsShareIsNotReadToItsEnd() throws {
    let names = try #require(
      TextNames(Blob(contents([UInt8](repeating: 0x61, count: 1 << 20) + [0]))))
    var shared = names
    for offset in 0..<1000 { shared.append(offset: UInt32(offset), isGlobal: true) }
    #expect(shared.name(0) == "")
    #expect(Set(shared.hashes()).count == 1)
  }

  // MARK: Types

  /// Structures of thousands of nameless members, each of which is the next such structure: without a
  /// bound on their number, 60,000 to the power of seven.
  @Test(.timeLimit(.minutes(2))) func nestedNamelessMembersHaveAnEnd() throws {
    let width = 60_000
    let strings = Array("\0cpu\0int\0".utf8)
    var words: [UInt32] = [5, 1 << 24, 4, 32]
    for level in 0..<7 {
      words += [level == 0 ? 1 : 0, 4 << 24 | UInt32(width), 4]
      let inner = level == 6 ? 1 : UInt32(level + 3)
      for _ in 0..<width { words += [0, inner, 0] }
    }
    let types = words.flatMap { little($0) }
    let btf =
      little(UInt16(0xEB9F)) + [1, 0] + little(UInt32(24)) + little(UInt32(0))
      + little(UInt32(types.count)) + little(UInt32(types.count)) + little(UInt32(strings.count))
      + types + strings
    let information = try #require(btf.withUnsafeBytes { TypeInformation($0) })
    #expect(information.structure("cpu")?.members.count == 0)
  }

  // MARK: kallsyms

  private static let kallsyms = KallsymsBuilder(
    symbols: (0..<300).map { ("t", "symbol\($0)", codeAddress + UInt64($0) * 16) },
    form: .baseBehindTokens, address: codeAddress)

  /// Where the alphabet stands in the region, with no tables behind it.
  @Test(arguments: [(63, true), (64, false)])
  func placesWhereTokensMayLieAreCounted(decoys: Int, areFound: Bool) throws {
    let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
    let run = letters.flatMap { letter -> [UInt8] in [letter, 0] }
    // One alphabet in 64 bytes, so that the search, which goes by 32, meets it once.
    let line: [UInt8] = [1] + run + [UInt8](repeating: 1, count: 11)
    let bytes = (0..<decoys).flatMap { _ in line }
    let region = Blob(try contents(bytes + Self.kallsyms.bytes()))
    #expect((KallsymsTokens.find(in: region) != nil) == areFound)
  }

  /// What looks like the markers of the names, between the right ones and the tokens.
  @Test(arguments: [(31, true), (32, false)])
  func placesWhereNamesMayLieAreCounted(decoys: Int, areFound: Bool) throws {
    let tables = Self.kallsyms.bytes()
    let whole = try #require(KallsymsTokens.find(in: Blob(contents(tables))))
    let marker = little(UInt32(0)) + little(UInt32(600))
    let bytes =
      tables[..<whole.tableStart] + (0..<decoys).flatMap { _ in marker }
      + tables[whole.tableStart...]
    let tokens = try #require(KallsymsTokens.find(in: Blob(contents(Array(bytes)))))
    #expect((KallsymsNames(tokens)?.count == 300) == areFound)
  }

  // MARK: Packages

  /// A tar whose members are one hole each: gigabytes that take no room in the file, nor in memory.
  @Test func whatIsKeptOfAPackageIsBounded() throws {
    let size = 3 << 29
    let tar = SmallArchives.archive(
      (1...3).map { ("boot/vmlinux-\($0)", [UInt8](repeating: 0x7F, count: 512)) },
      archive_write_set_format_pax, archive_write_add_filter_none,
      prepare: { entry in
        archive_entry_set_size(entry, la_int64_t(size))
        archive_entry_sparse_add_entry(entry, 0, 512)
        archive_entry_sparse_add_entry(entry, la_int64_t(size), 0)
      })
    #expect(tar.count < 1 << 16)
    let error = try #require(failure(of: tar))
    #expect(error.code == .tooLarge)
    #expect(error.member == "boot/vmlinux-3", "\(error)")
  }
}
