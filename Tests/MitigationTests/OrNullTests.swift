import Mitigation
import Testing

@Suite struct OrNullTests {
  private struct Holder: Codable, Hashable {
    @OrNull var number: Int?
    @OrNull var words: [String: String]?
  }

  @Test func nothingIsWrittenAsNull() throws {
    let holder = Holder(number: nil, words: nil)
    #expect(try json(holder) == #"{"number":null,"words":null}"#)
    #expect(try roundTrip(holder) == holder)
  }

  @Test func aValueIsWrittenAsItself() throws {
    let holder = Holder(number: 5, words: ["b": "2", "a": "1"])
    #expect(try json(holder) == #"{"number":5,"words":{"a":"1","b":"2"}}"#)
    #expect(try roundTrip(holder) == holder)
  }

  @Test func aMissingKeyIsAnErrorAndNotNull() {
    #expect(throws: DecodingError.self) { try decode(#"{"words":null}"#, as: Holder.self) }
  }

  @Test func aWrongTypeIsAnError() {
    #expect(throws: DecodingError.self) {
      try decode(#"{"number":"5","words":null}"#, as: Holder.self)
    }
  }
}
