/// How the kernel lays out its structures: read from the image's BTF, else recovered from tables.
public struct StructLayouts: Sendable {
  /// What a layout rests on.
  public enum Source: String, Sendable, Hashable, CaseIterable {
    /// The type information in the image.
    case btf
    /// The contents of a table make sense with this layout, and with no other that was tried.
    case recovered
  }

  /// One structure's layout.
  public struct Layout: Sendable, Hashable {
    /// Size in bytes, and the distance between the entries of a table.
    public let size: Int
    /// The byte offset of each member; members of anonymous structures and unions are listed like
    /// the structure's own. A bit field has the offset of the byte it begins in.
    public let fields: [String: Int]
    public let source: Source
    /// Where it was read, or what was verified, for people.
    public let basis: String
  }

  private let types: Lazy<TypeInformation?>
  private let recovered: Lazy<[String: Layout]>

  init(types: Lazy<TypeInformation?>, recovered: Lazy<[String: Layout]>) {
    self.types = types
    self.recovered = recovered
  }

  /// The layout of `struct NAME` (or a union); nil if the image does not tell.
  public func layout(of structName: String) -> Layout? {
    guard let types = types.value else { return recovered.value[structName] }
    guard let (size, members) = types.structure(structName) else {
      return recovered.value[structName]
    }
    let fields = Dictionary(
      members.map { ($0.name, $0.bitOffset / 8) }, uniquingKeysWith: { first, _ in first })
    return Layout(size: size, fields: fields, source: .btf, basis: ".BTF")
  }

  /// The number of elements of an array member, such as the words of `x86_capability` in
  /// `cpuinfo_x86`; nil if the member is no array or the image has no BTF.
  public func arrayCount(of structName: String, field: String) -> Int? {
    guard let types = types.value,
      let member = types.structure(structName)?.members.first(where: { $0.name == field })
    else { return nil }
    return types.arrayCount(member.type)
  }

  /// The names and values of `enum NAME`; nil if the image does not tell.
  public func enumerators(of enumName: String) -> [String: Int64]? {
    types.value?.enumeration(enumName)
  }
}
