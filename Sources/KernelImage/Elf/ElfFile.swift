import CElf
import Glibc

/// The owner of a libelf descriptor over bytes that are already in memory.
///
/// libelf reads the mapping in place: for little-endian files it copies neither headers nor
/// section contents, and touches only what is asked for. A descriptor is not safe to share between
/// threads, so it lives as long as one reading takes; only plain values leave it.
struct ElfFile: ~Copyable {
  let handle: OpaquePointer
  /// The ELF header in its 64-bit form, in host byte order.
  let header: GElf_Ehdr
  let contents: Artefact.Contents

  /// Opens an ELF file for x86, and nothing else.
  init(_ contents: Artefact.Contents) throws(ImageError) {
    let raw = contents.bytes.raw
    guard raw.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else {
      throw ImageError(.unsupportedFormat, "is not an ELF file", offset: 0)
    }
    guard elf_version(UInt32(EV_CURRENT)) != EV_NONE else {
      throw ImageError.libelf("does not support this version of ELF")
    }
    // elf_memory() takes a mutable pointer, yet opens for ELF_C_READ and never writes through it.
    let image = UnsafeMutableRawPointer(mutating: raw.baseAddress)
    guard
      let handle = elf_memory(image?.assumingMemoryBound(to: CChar.self), raw.count)
    else {
      throw ElfFile.isCut(raw)
        ? ImageError(.truncated, "ends inside the ELF header", offset: UInt64(raw.count))
        : ImageError.libelf("cannot be opened as ELF")
    }
    var header = GElf_Ehdr()
    do throws(ImageError) {
      guard elf_kind(handle) == ELF_K_ELF, gelf_getehdr(handle, &header) != nil else {
        throw ElfFile.isCut(raw)
          ? ImageError(.truncated, "ends inside the ELF header", offset: UInt64(raw.count))
          : ImageError(.malformed, "has an ELF header that makes no sense", offset: 0)
      }
      try ElfFile.check(header)
    } catch {
      elf_end(handle)
      throw error
    }
    self.handle = handle
    self.header = header
    self.contents = contents
  }

  deinit { elf_end(handle) }

  /// Whether the file is of the 64-bit class.
  var is64Bit: Bool { gelf_getclass(handle) == ELFCLASS64 }

  /// Whether the file is too short for the header of its class (ELF specification, "ELF Header").
  private static func isCut(_ raw: UnsafeRawBufferPointer) -> Bool {
    raw.count < (raw.count > 4 && raw[4] == UInt8(ELFCLASS32) ? 52 : 64)
  }

  private static func check(_ header: GElf_Ehdr) throws(ImageError) {
    let (elfClass, order) = (Int32(header.e_ident.4), Int32(header.e_ident.5))
    switch (Int32(header.e_machine), elfClass) {
    case (EM_X86_64, ELFCLASS64), (EM_386, ELFCLASS32): break
    case (EM_X86_64, _):
      throw ImageError(
        .wrongArchitecture, "is for x86-64 with 32-bit addresses (x32), not x86-64", offset: 4)
    default:
      throw ImageError(
        .wrongArchitecture, "is for \(machineName(header.e_machine)), not x86-64", offset: 18)
    }
    guard order == ELFDATA2LSB else {
      throw ImageError(.malformed, "claims to be big-endian x86", offset: 5)
    }
  }

  /// The processor a file is for, by the machine numbers of the ELF specification's registry.
  private static func machineName(_ machine: UInt16) -> String {
    switch Int32(machine) {
    case EM_AARCH64: "64-bit ARM"
    case EM_ARM: "32-bit ARM"
    case EM_RISCV: "RISC-V"
    case EM_PPC64: "64-bit PowerPC"
    case EM_PPC: "32-bit PowerPC"
    case EM_S390: "IBM Z"
    case EM_MIPS: "MIPS"
    case EM_SPARCV9: "64-bit SPARC"
    case EM_IA_64: "Itanium"
    case EM_LOONGARCH: "LoongArch"
    case EM_PARISC: "PA-RISC"
    case EM_68K: "Motorola 68000"
    default: "another processor (machine \(machine))"
    }
  }
}

extension ImageError {
  /// The last error of libelf on this thread.
  static func libelf(_ what: String, offset: UInt64? = nil) -> ImageError {
    let reason = elf_errmsg(-1).map { String(cString: $0) } ?? "no reason given"
    return ImageError(.failedLibrary, "\(what): libelf: \(reason)", offset: offset)
  }
}
