/// The symbols that a kernel exports to modules (`__ksymtab`, `__ksymtab_gpl` …).
///
/// `struct kernel_symbol` has had four forms (include/linux/export.h and kernel/module/internal.h):
/// place-relative 32-bit references to value, name and, newer, namespace, or addresses. Which one it
/// is shows in the names it leads to.
struct ExportTable: Sendable {
  struct Export {
    var address: UInt64
    /// Where the name is loaded.
    var name: UInt64
  }

  private enum Reference { case placeRelative, absolute }

  private let space: AddressSpace
  private let ranges: [Range<UInt64>]
  private let stride: Int
  private let reference: Reference

  /// Reads tables; nil if none lies in the file or no form fits.
  static func recognise(_ ranges: [Range<UInt64>], in space: AddressSpace) -> ExportTable? {
    let ranges = ranges.filter { range in
      guard !range.isEmpty, let size = Int(exactly: range.upperBound - range.lowerBound) else {
        return false
      }
      return space.bytes(at: range.lowerBound, count: size) != nil
    }
    let forms: [(stride: Int, reference: Reference)] = [
      (12, .placeRelative), (8, .placeRelative), (16, .absolute), (24, .absolute),
    ]
    return
      forms
      .filter { form in ranges.allSatisfy { $0.count % form.stride == 0 } }
      .map { ExportTable(space: space, ranges: ranges, stride: $0.stride, reference: $0.reference) }
      .first { table in
        let sample = table.sample(64)
        return !sample.isEmpty && sample.allSatisfy { table.nameText($0) != nil }
      }
  }

  /// The number of exports.
  var count: Int { ranges.reduce(0) { $0 + Int($1.upperBound - $1.lowerBound) / stride } }

  /// At most about `limit` exports, evenly spread over the tables. Entries that lie outside the
  /// file are left out.
  func sample(_ limit: Int) -> [Export] {
    let step = limit >= count ? 1 : count / max(1, limit) + 1
    return ranges.flatMap { range in
      Swift.stride(from: range.lowerBound, to: range.upperBound, by: stride * step)
        .compactMap(export(at:))
    }
  }

  /// The characters of an export's name; nil if it leads to none. A name may be the tail of a longer
  /// one: the linker merges them.
  func nameText(_ export: Export) -> UnsafeRawBufferPointer? {
    guard let text = space.text(at: export.name, limit: 512), !text.isEmpty,
      text.allSatisfy(Self.isPartOfName)
    else { return nil }
    return text
  }

  private static func isPartOfName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."),
      UInt8(ascii: "$"):
      true
    default: false
    }
  }

  /// All exports as a symbol table.
  func symbols() -> SymbolStore? {
    let exports = sample(count).filter { nameText($0) != nil }
    guard let low = exports.map(\.name).min(), let high = exports.map(\.name).max(),
      let last = space.text(at: high, limit: 512), high - low < 64 << 20,
      let range = space.fileRange(at: low, count: Int(high - low) + last.count + 1),
      let text = Blob(space.contents, offset: range.lowerBound, count: range.count),
      var names = TextNames(text)
    else { return nil }
    for export in exports {
      names.append(offset: UInt32(export.name - low), isGlobal: true)
    }
    return SymbolStore(names: names, addresses: exports.map(\.address))
  }

  private func export(at place: UInt64) -> Export? {
    switch reference {
    case .placeRelative:
      guard let value = space.read(Int32.self, at: place),
        let name = space.read(Int32.self, at: place + 4)
      else { return nil }
      return Export(
        address: place &+ UInt64(bitPattern: Int64(value)),
        name: place &+ 4 &+ UInt64(bitPattern: Int64(name)))
    case .absolute:
      guard let value = space.read(UInt64.self, at: place),
        let name = space.read(UInt64.self, at: place + 8)
      else { return nil }
      return Export(address: value, name: name)
    }
  }
}
