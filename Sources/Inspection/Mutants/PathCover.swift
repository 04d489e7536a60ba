/// As few sets as the greedy way finds that cover what all of them do together.
///
/// Each step takes the set that adds most, the first one of several: the same input gives the same
/// choice. The greedy choice is never worse than ln(n) + 1 times the smallest one.
struct PathCover: Sendable {
  /// In the order they were taken, with how much each adds.
  private(set) var chosen: [(index: Int, adds: Int)] = []

  init<Element: Hashable>(_ sets: [some Sequence<Element>]) {
    var numbers: [Element: Int] = [:]
    let sets = sets.map { set in
      set.map { element in
        let number = numbers[element] ?? numbers.count
        numbers[element] = number
        return number
      }
    }
    var isCovered = [Bool](repeating: false, count: numbers.count)
    while true {
      var best: (index: Int, adds: Int)?
      for (index, set) in sets.enumerated() {
        let adds = set.count { !isCovered[$0] }
        if adds > best?.adds ?? 0 { best = (index, adds) }
      }
      guard let best else { return }
      chosen.append(best)
      for number in sets[best.index] { isCovered[number] = true }
    }
  }
}
