/// A number and what is counted, as in `1 boot path` or `2 boot paths`.
public func counted(_ count: Int, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}
