internal import Mitigation

/// Bytes of the guest that differ from the image.
public struct Patch: Sendable, Hashable {
  public var address: UInt64
  public var bytes: [UInt8]

  public init(address: UInt64, bytes: [UInt8]) {
    self.address = address
    self.bytes = bytes
  }

  /// The addresses it changes; cut off at the end of the address space.
  public var range: Range<UInt64> {
    let (end, overflow) = address.addingReportingOverflow(UInt64(bytes.count))
    return address..<(overflow ? .max : end)
  }
}

/// The pages of the pristine arena as they are with patches. Only the machine's thread touches it.
///
/// A machine that runs many paths with the same patches thus keeps its translations of them.
final class PatchOverlay {
  private var patches: [Patch] = []
  private var patched: [Int: [UInt8]] = [:]

  /// The pages that hold a patch.
  private(set) var pages: [Int] = []

  /// Puts other patches in place of these; guest memory follows when it is put back.
  ///
  /// - Throws: if a patch does not lie in the guest; nothing is patched then.
  func replace(with patches: [Patch], over pristine: PristineMemory) throws(MachineError) {
    guard patches != self.patches else { return }
    self.patches = []
    patched = [:]
    pages = []
    var changed: [Int: [UInt8]] = [:]
    for patch in patches {
      guard let start = pristine.map.offset(of: patch.address, count: patch.bytes.count) else {
        throw MachineError("\(hexadecimal(patch.address)) lies outside the guest")
      }
      for (index, byte) in patch.bytes.enumerated() {
        let (page, offset) = (start + index).quotientAndRemainder(dividingBy: AddressMap.pageSize)
        changed[page, default: Self.page(page, of: pristine)][offset] = byte
      }
    }
    self.patches = patches
    patched = changed
    pages = changed.keys.sorted()
  }

  /// What a page is to hold; nil where it has no patch.
  func contents(of page: Int) -> [UInt8]? { patched[page] }

  private static func page(_ page: Int, of pristine: PristineMemory) -> [UInt8] {
    let start = page * AddressMap.pageSize
    return Array(pristine.bytes[start..<start + AddressMap.pageSize])
  }
}
