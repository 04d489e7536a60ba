internal import Glibc
internal import KernelImage
internal import Mitigation

/// Modules laid out in the guest and linked against their kernel, as the kernel does when it loads
/// them (kernel/module/main.c, arch/x86/kernel/module.c).
struct ModuleSet: Sendable {
  /// One module in its place.
  struct Loaded: Sendable {
    var name: String
    /// Where its sections lie, by their index.
    var sections: [Int: Range<UInt64>]
    /// What is placed there, relocated.
    var pieces: [(address: UInt64, bytes: [UInt8])]
    /// The addresses of its symbols, by their number.
    var symbols: [UInt64?]
    /// The sections that hold code.
    var code: [Range<UInt64>]
    /// `__ex_table` and `__bug_table`.
    var exceptions: Range<UInt64>?
    var bugs: Range<UInt64>?
    /// `__param`.
    var parameters: Range<UInt64>?
  }

  /// The addresses that the modules take, page-aligned.
  let addresses: Range<UInt64>
  private(set) var modules: [Loaded] = []
  /// Symbols that no one defines, with the address that stands for each: nothing is mapped there.
  private(set) var missing: [UInt64: String] = [:]
  private var missingPlaces: [String: UInt64] = [:]
  private var names: [String: UInt64] = [:]
  /// The places of functions and data, in ascending order of address.
  private var places: [(address: UInt64, name: String)] = []

  /// Checksums of exported symbols, whose relocations write them and no address; nothing runs by
  /// them.
  private static let checksums = "__kcrctab"
  private static let page = UInt64(AddressMap.pageSize)
  /// How many symbols may be missing; each has an address of its own behind the modules.
  private static let missingLimit = 4096

  /// Lays out `modules`, in the order that they are loaded in, from `start` on.
  ///
  /// - Parameter perCPUBase: the base of GS: a per-CPU symbol is a distance from it.
  /// - Throws: if a module is for another kernel, does not fit, or cannot be linked.
  init(
    _ modules: [KernelModule], for kernel: KernelImage, from start: UInt64, perCPUBase: UInt64
  ) throws(MachineError) {
    var next = start
    for module in modules {
      if let release = module.release, let other = kernel.identity.release, release != other {
        throw MachineError("\(module.name) is for \(release), the kernel is \(other)")
      }
      let loaded = try Self.lay(out: module, from: start, at: &next, perCPUBase: perCPUBase)
      self.modules.append(loaded)
    }
    addresses = start..<next
    for (module, loaded) in zip(modules, self.modules) { note(module, loaded) }
    places.sort { ($0.address, $0.name) < ($1.address, $1.name) }
    for index in modules.indices { try link(modules[index], index, kernel) }
  }

  /// The address of a symbol that a module defines.
  func address(of name: String) -> UInt64? { names[name] }

  /// The address of a symbol of one module.
  func address(of name: String, inModule index: Int, of modules: [KernelModule]) -> UInt64? {
    modules[index].symbols.firstIndex { $0.name == name && $0.section != nil }
      .flatMap { self.modules[index].symbols[$0] }
  }

  /// The symbol that an address of a module lies in or after, with its distance; or what is missing
  /// there.
  func describe(_ address: UInt64) -> String? {
    if let name = missing[address] { return "\(name), which the kernel does not have" }
    guard addresses.contains(address) else { return nil }
    var low = 0
    var high = places.count
    while low < high {
      let middle = (low + high) / 2
      if places[middle].address <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    let place = places[low - 1]
    let offset = address - place.address
    return offset == 0 ? place.name : "\(place.name)+\(hexadecimal(offset))"
  }

  /// The module that an address lies in.
  func name(at address: UInt64) -> String? {
    modules.first { $0.sections.values.contains { $0.contains(address) } }?.name
  }

  /// The bytes of a range that one section holds.
  func bytes(at address: UInt64, count: Int) -> [UInt8]? {
    for module in modules {
      for piece in module.pieces where address >= piece.address {
        let offset = address - piece.address
        guard offset <= UInt64(piece.bytes.count), count >= 0,
          count <= piece.bytes.count - Int(offset)
        else { continue }
        return Array(piece.bytes[Int(offset)..<Int(offset) + count])
      }
    }
    return nil
  }

  /// Holds what the modules were linked to against what it must lead to: each place of their
  /// exception tables, and where the kernel goes on behind it, is code of the same module.
  ///
  /// - Parameter entrySize: of an exception table entry, which begins with two displacements.
  func verify(entrySize: Int) throws(MachineError) {
    for module in modules {
      guard entrySize >= 8, let table = module.exceptions,
        let entries = bytes(at: table.lowerBound, count: table.count)
      else { continue }
      for place in stride(from: 0, through: entries.count - entrySize, by: entrySize) {
        for field in [place, place + 4] {
          let displacement = entries.withUnsafeBytes {
            $0.loadUnaligned(fromByteOffset: field, as: Int32.self)
          }
          let target = (table.lowerBound + UInt64(field)).displaced(displacement)
          guard module.code.contains(where: { $0.contains(target) }) else {
            throw MachineError(
              "\(module.name): its exception table leads to \(hexadecimal(target)), which is not "
                + "its code")
          }
        }
      }
    }
  }

  // MARK: Laying out

  private static func lay(
    out module: KernelModule, from start: UInt64, at next: inout UInt64, perCPUBase: UInt64
  ) throws(MachineError) -> Loaded {
    var loaded = Loaded(
      name: module.name, sections: [:], pieces: [],
      symbols: Array(repeating: nil, count: module.symbols.count), code: [])
    for section in module.sections
    where section.isLoaded && section.size > 0 && !section.name.hasPrefix(checksums) {
      // The largest modules have a few MiB; the space for them is 1 GiB.
      guard section.size <= 1 << 26 else {
        throw MachineError("\(module.name): section \(section.name) has \(section.size) bytes")
      }
      let range = next..<next + UInt64(section.size)
      next = (range.upperBound + page - 1) & ~(page - 1)
      guard next - start <= 1 << 30 else {
        throw MachineError("\(module.name): its sections do not fit into the space of modules")
      }
      loaded.sections[section.index] = range
      if section.isExecutable { loaded.code.append(range) }
      if section.name == "__ex_table" { loaded.exceptions = range }
      if section.name == "__bug_table" { loaded.bugs = range }
      if section.name == "__param" { loaded.parameters = range }
      if let bytes = module.contents(of: section) {
        loaded.pieces.append((range.lowerBound, Array(bytes)))
      }
    }
    for (number, symbol) in module.symbols.enumerated() {
      guard let index = symbol.section, let range = loaded.sections[index] else { continue }
      let base = module.sections[index].name == ".data..percpu" ? perCPUBase : 0
      loaded.symbols[number] = range.lowerBound &+ symbol.offset &- base
    }
    return loaded
  }

  private mutating func note(_ module: KernelModule, _ loaded: Loaded) {
    for (number, symbol) in module.symbols.enumerated() where !symbol.isSection {
      guard let address = loaded.symbols[number], !symbol.name.isEmpty,
        !symbol.name.hasPrefix("__pfx_"), !symbol.name.hasPrefix("__cfi_")
      else { continue }
      if symbol.isGlobal || names[symbol.name] == nil { names[symbol.name] = address }
      places.append((address, symbol.name))
    }
  }

  // MARK: Linking

  private mutating func link(
    _ module: KernelModule, _ index: Int, _ kernel: KernelImage
  ) throws(MachineError) {
    for section in module.sections {
      guard let range = modules[index].sections[section.index],
        let piece = modules[index].pieces.firstIndex(where: { $0.address == range.lowerBound })
      else { continue }
      let relocations: [KernelModule.Relocation]
      do {
        relocations = try module.relocations(for: section)
      } catch {
        throw MachineError("\(module.name): \(error.message)")
      }
      for relocation in relocations {
        let target = try target(of: relocation, module, index, kernel)
        let place = range.lowerBound + UInt64(relocation.offset)
        guard let patch = Relocated(relocation.type, target: target, at: place),
          relocation.offset <= modules[index].pieces[piece].bytes.count - patch.count
        else {
          throw MachineError(
            "\(module.name): relocation of type \(relocation.type) at \(section.name)+"
              + "\(hexadecimal(UInt64(relocation.offset))) cannot be made")
        }
        for byte in 0..<patch.count {
          modules[index].pieces[piece].bytes[relocation.offset + byte] =
            UInt8(truncatingIfNeeded: patch.value >> UInt64(8 * byte))
        }
      }
    }
  }

  /// S + A of a relocation.
  private mutating func target(
    of relocation: KernelModule.Relocation, _ module: KernelModule, _ index: Int,
    _ kernel: KernelImage
  ) throws(MachineError) -> UInt64 {
    let addend = UInt64(bitPattern: relocation.addend)
    if let address = modules[index].symbols[relocation.symbol] { return address &+ addend }
    let symbol = module.symbols[relocation.symbol]
    guard symbol.section == nil else {
      throw MachineError("\(module.name): \(symbol.name) is in a section that is not loaded")
    }
    if symbol.name.isEmpty { return addend }
    if let address = kernel.symbols.address(of: symbol.name) ?? names[symbol.name] {
      return address &+ addend
    }
    return try address(ofMissing: symbol.name) &+ addend
  }

  private mutating func address(ofMissing name: String) throws(MachineError) -> UInt64 {
    if let known = missingPlaces[name] { return known }
    guard missing.count < Self.missingLimit else {
      throw MachineError("the kernel lacks more than \(missing.count) symbols of its modules")
    }
    // Away from the page behind the modules, so that no access runs into it by accident.
    let address = addresses.upperBound &+ Self.page &+ UInt64(16 * missing.count)
    missing[address] = name
    missingPlaces[name] = address
    return address
  }
}

/// What a relocation writes (System V AMD64 ABI, table 4.10).
struct Relocated {
  var value: UInt64
  /// In bytes.
  var count: Int

  /// nil for a type that modules do not have, or a value that does not fit.
  init?(_ type: UInt32, target: UInt64, at place: UInt64) {
    switch Int32(bitPattern: type) {
    case R_X86_64_NONE: (value, count) = (0, 0)
    case R_X86_64_64: (value, count) = (target, 8)
    case R_X86_64_32:
      guard target <= UInt64(UInt32.max) else { return nil }
      (value, count) = (target, 4)
    case R_X86_64_32S:
      guard Int32(exactly: Int64(bitPattern: target)) != nil else { return nil }
      (value, count) = (target, 4)
    case R_X86_64_PC32, R_X86_64_PLT32:
      let distance = target &- place
      guard Int32(exactly: Int64(bitPattern: distance)) != nil else { return nil }
      (value, count) = (distance, 4)
    case R_X86_64_PC64: (value, count) = (target &- place, 8)
    default: return nil
    }
  }
}
