import CBpf
import Glibc
import Synchronization

/// The types that an image describes in BTF, read through libbpf.
///
/// libbpf reads `.BTF` of any kernel of either word size; loading nothing into a kernel, it works
/// without privileges.
final class TypeInformation: Sendable {
  /// A member of a structure, with anonymous structures and unions dissolved.
  struct Member {
    var name: String
    /// The offset in bits from the start of the outermost structure.
    var bitOffset: Int
    var type: UInt32
  }

  /// The owner of libbpf's descriptor.
  private struct Handle: ~Copyable, @unchecked Sendable {
    let btf: OpaquePointer
    deinit { btf__free(btf) }
  }

  // A look-up in libbpf may fill caches of the descriptor: one thread at a time.
  private let handle: Mutex<Handle>

  /// libbpf writes what it dislikes to stderr, by a callback that is global to the process. It is
  /// switched off before the first use, once: an error comes back as a return value anyway.
  private static let silenced: Void = { libbpf_set_print(nil) }()

  /// Reads types from the bytes of a `.BTF` section; nil if libbpf refuses them.
  init?(_ bytes: UnsafeRawBufferPointer) {
    Self.silenced
    guard let size = UInt32(exactly: bytes.count), size > 0,
      let btf = btf__new(bytes.baseAddress, size)
    else { return nil }
    handle = Mutex(Handle(btf: btf))
  }

  /// The size in bytes and the members of a structure or union; nil if there is none of that name.
  func structure(_ name: String) -> (size: Int, members: [Member])? {
    handle.withLock { handle in
      for kind in [BTF_KIND_STRUCT, BTF_KIND_UNION] {
        let found = btf__find_by_name_kind(handle.btf, name, UInt32(kind))
        guard found > 0, let type = btf__type_by_id(handle.btf, UInt32(found)) else { continue }
        var members: [Member] = []
        var budget = Self.mostMembers
        Self.collect(handle.btf, type, at: 0, depth: 0, &budget, into: &members)
        return (Int(type.pointee.size), members)
      }
      return nil
    }
  }

  /// The number of elements of an array type, behind qualifiers and typedefs; nil for others.
  func arrayCount(_ type: UInt32) -> Int? {
    handle.withLock { handle in
      var type = type
      for _ in 0..<16 {
        guard let resolved = btf__type_by_id(handle.btf, type) else { return nil }
        if btf_is_array(resolved) { return Int(btf_array(resolved).pointee.nelems) }
        guard btf_is_mod(resolved) || btf_is_typedef(resolved) else { return nil }
        type = resolved.pointee.type
      }
      return nil
    }
  }

  /// The names and values of an enumeration; nil if there is none of that name.
  func enumeration(_ name: String) -> [String: Int64]? {
    handle.withLock { handle in
      let found = btf__find_by_name_kind(handle.btf, name, UInt32(BTF_KIND_ENUM))
      guard found > 0, let type = btf__type_by_id(handle.btf, UInt32(found)),
        let enumerators = btf_enum(type)
      else { return nil }
      var values: [String: Int64] = [:]
      for index in 0..<Int(btf_vlen(type)) {
        guard let name = Self.name(handle.btf, enumerators[index].name_off) else { continue }
        values[name] = Int64(enumerators[index].val)
      }
      return values
    }
  }

  /// More members than any structure of a kernel has, the anonymous ones counted.
  private static let mostMembers = 4096

  /// A name of a type or a member; nil if there is none, or none that a kernel would have.
  private static func name(_ btf: OpaquePointer, _ offset: UInt32) -> String? {
    guard let name = btf__name_by_offset(btf, offset),
      strnlen(name, ElfFile.Limit.name + 1) <= ElfFile.Limit.name
    else { return nil }
    return String(cString: name)
  }

  /// Adds the members of `type`; those of anonymous members at their place.
  ///
  /// Depth and number are bounded because a damaged file may nest a structure in itself, or in each
  /// of another's thousands of members, which hold the next one again.
  private static func collect(
    _ btf: OpaquePointer, _ type: UnsafePointer<btf_type>, at base: Int, depth: Int,
    _ budget: inout Int, into members: inout [Member]
  ) {
    guard btf_is_composite(type), depth < 8, let entries = btf_members(type) else { return }
    for index in 0..<Int(btf_vlen(type)) {
      guard budget > 0 else { return }
      budget -= 1
      let offset = base + Int(btf_member_bit_offset(type, UInt32(index)))
      let name = name(btf, entries[index].name_off) ?? ""
      if !name.isEmpty {
        members.append(Member(name: name, bitOffset: offset, type: entries[index].type))
      } else if let inner = btf__type_by_id(btf, entries[index].type) {
        collect(btf, inner, at: offset, depth: depth + 1, &budget, into: &members)
      }
    }
  }
}
