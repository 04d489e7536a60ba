/// One wrong build made from a right one: a change of a few bytes, and what it breaks.
public struct Mutant: Sendable, Hashable, Codable {
  /// What kind of change it is. Their names are stable.
  public enum Operator: String, Sendable, Hashable, Codable, CaseIterable {
    case conditionInverted = "condition-inverted"
    case constantOffByOne = "constant-off-by-one"
    case bitOver = "bit-over"
    case countChanged = "count-changed"
    case storeDropped = "store-dropped"
    case callDropped = "call-dropped"
    case callRedirected = "call-redirected"
    case earlyReturn = "early-return"
    case leafChanged = "leaf-changed"
    case registerChanged = "register-changed"
    case msrChanged = "msr-changed"
    case entryRemoved = "entry-removed"
    case featureChanged = "feature-changed"
    case entryNegated = "entry-negated"
    case fenceRemoved = "fence-removed"
  }

  /// Operator and address, and a number where an instruction has several of them: stable for an
  /// image.
  public var id: String
  public var `operator`: Operator
  public var address: Address
  /// The symbol that the address lies in, with the distance from it.
  @OrNull public var symbol: String?
  public var original: HexBytes
  public var changed: HexBytes
  /// The instruction as it was, or what a table's entry said.
  public var originalText: String
  public var changedText: String
  /// One sentence.
  public var breaks: String

  public init(
    id: String, operator: Operator, address: Address, symbol: String?, original: HexBytes,
    changed: HexBytes, originalText: String, changedText: String, breaks: String
  ) {
    self.id = id
    self.operator = `operator`
    self.address = address
    self.original = original
    self.changed = changed
    self.originalText = originalText
    self.changedText = changedText
    self.breaks = breaks
    self.symbol = symbol
  }

  private enum CodingKeys: String, CodingKey {
    case id
    case `operator`
    case address, symbol, original, changed
    case originalText = "original_text"
    case changedText = "changed_text"
    case breaks
  }
}
