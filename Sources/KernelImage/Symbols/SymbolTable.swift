/// The symbols of a kernel image: names and addresses, from the best source it has.
///
/// Cheap to make and to copy: names stay in the image, and the indexes that look-ups need are made
/// when the first one comes.
public struct SymbolTable: Sendable {
  /// Where the symbols were read.
  public enum Source: String, Sendable, Hashable, CaseIterable {
    case symtab = ".symtab"
    case kallsyms
    case ksymtab = "__ksymtab"
    case systemMap = "System.map"
    case none
  }

  public let source: Source
  private let store: SymbolStore?

  init(_ source: Source, _ store: SymbolStore?) {
    self.source = store == nil ? .none : source
    self.store = store
  }

  /// The number of symbols, aliases included.
  public var count: Int { store?.addresses.count ?? 0 }

  /// The address of a symbol; of several with that name a global one first, then the lowest.
  public func address(of name: String) -> UInt64? { addresses(of: name).first }

  /// The addresses of all symbols with that name: global ones first, then in ascending order.
  public func addresses(of name: String) -> [UInt64] {
    guard let store else { return [] }
    let found = store.symbols(named: name)
    guard found.count > 1 else { return found.map { store.addresses[$0] } }
    let global = Set(found.filter { store.names.isGlobal($0) }.map { store.addresses[$0] })
    let local = Set(found.map { store.addresses[$0] }).subtracting(global)
    return global.sorted() + local.sorted()
  }

  /// The symbol that an address lies in or after, and the distance to it in bytes.
  ///
  /// Of several at one address a global one that is not a mark of the linker script is preferred.
  /// What only marks padding or code for tools is passed over: `__pfx_…` (objtool's prefix
  /// symbols), `__cfi_…` (kCFI's type hashes) and mapping symbols (`$x`).
  public func nearest(to address: UInt64) -> (name: String, offset: UInt64)? {
    guard let store else { return nil }
    let order = store.order.value
    var end = order.position(after: address)
    while end > 0 {
      let found = order.address(end - 1)
      var best: (name: String, rank: Int)?
      while end > 0, order.address(end - 1) == found {
        end -= 1
        let symbol = order.symbol(end)
        let name = store.names.name(symbol)
        guard !Self.isAuxiliary(name) else { continue }
        let rank = (store.names.isGlobal(symbol) ? 1 : 0) + (Self.isBoundary(name) ? 0 : 2)
        if rank >= best?.rank ?? 0 { best = (name, rank) }
      }
      if let best { return (best.name, address - found) }
    }
    return nil
  }

  /// The address after the last byte of what starts at `address`: by the size of the symbol there
  /// (ELF's st_size), else the next greater address of a symbol. Nil if neither is known.
  public func end(of address: UInt64) -> UInt64? {
    guard let store else { return nil }
    let order = store.order.value
    let next = order.position(after: address)
    var position = next
    var size: UInt64 = 0
    while !store.sizes.isEmpty, position > 0, order.address(position - 1) == address {
      position -= 1
      size = max(size, store.sizes[order.symbol(position)])
    }
    let (end, overflow) = address.addingReportingOverflow(size)
    if size > 0 && !overflow { return end }
    return next < order.count ? order.address(next) : nil
  }

  /// All symbols whose names begin with `prefix`, in ascending order of address, then of name.
  public func names(withPrefix prefix: String) -> [(name: String, address: UInt64)] {
    guard let store else { return [] }
    var prefix = prefix
    let found = prefix.withUTF8 { bytes in
      let bytes = UnsafeRawBufferPointer(bytes)
      return (0..<store.names.count).filter { store.names.hasPrefix($0, bytes) }
    }
    return found.map { (store.names.name($0), store.addresses[$0]) }
      .sorted { ($0.address, $0.name) < ($1.address, $1.name) }
  }

  static func isAuxiliary(_ name: String) -> Bool {
    name.hasPrefix("__pfx_") || name.hasPrefix("__cfi_") || name.hasPrefix("$")
  }

  /// Whether a name is one that the linker script gives to where something begins or ends.
  private static func isBoundary(_ name: String) -> Bool {
    ["_text", "_stext", "_etext", "_sinittext", "_einittext", "_sdata", "_edata"].contains(name)
      || name.hasPrefix("__start_") || name.hasPrefix("__stop_")
      || ["_start", "_end", "_begin"].contains { name.hasPrefix("_") && name.hasSuffix($0) }
  }
}

/// What a symbol table holds, with its indexes.
final class SymbolStore: Sendable {
  let names: any SymbolNames
  let addresses: [UInt64]
  /// Sizes in bytes (0: unknown), or empty if the source has none.
  let sizes: [UInt64]
  let order: Lazy<AddressOrder>
  private let index: Lazy<NameIndex>

  /// `index` is for several stores that share their names.
  init(
    names: any SymbolNames, addresses: [UInt64], sizes: [UInt64] = [], index: Lazy<NameIndex>? = nil
  ) {
    precondition(names.count == addresses.count && (sizes.isEmpty || sizes.count == names.count))
    self.names = names
    self.addresses = addresses
    self.sizes = sizes
    order = Lazy { AddressOrder(addresses) }
    self.index = index ?? Lazy { NameIndex(names.hashes()) }
  }

  /// The numbers of the symbols with that name, in the table's order.
  func symbols(named name: String) -> [Int] {
    var name = name
    return name.withUTF8 { symbols(named: UnsafeRawBufferPointer($0)) }
  }

  func symbols(named name: UnsafeRawBufferPointer) -> [Int] {
    index.value.candidates(names.hash(name)).filter { names.matches($0, name) }
  }
}
