/// Something wrong with a table of alternatives.
public struct TableFault: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case tableOutside = "the table lies outside the file"
    case tooLong = "it has more entries than any kernel"
    case unknownLayout = "no known layout fits the entries"
    case partialEntry = "the table's size is no multiple of an entry's"
    case siteOutside = "the site lies outside the image"
    case replacementOutside = "the replacement lies outside the section of replacements"
    case replacementTooLong = "the replacement is longer than the site"
    case unknownFeature = "the feature's number is out of range"
    case overlap = "the site overlaps another one"
  }

  public var kind: Kind
  /// The entry, or the table.
  public var address: UInt64
  /// The site of the entry; nil if the table as a whole is wrong.
  public var site: UInt64?
}
