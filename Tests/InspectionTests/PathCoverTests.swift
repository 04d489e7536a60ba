import Testing

@testable import Inspection

@Suite("The smallest set of paths")
struct PathCoverTests {
  @Test("takes what adds most, the first one of several, and stops when nothing is left")
  func greedy() {
    let cover = PathCover([[1, 2], [3, 4, 5], [1, 2, 3], [6], [5, 4, 3]])
    #expect(cover.chosen.map(\.index) == [1, 0, 3])
    #expect(cover.chosen.map(\.adds) == [3, 2, 1])
  }

  @Test("is empty where there is nothing to cover")
  func empty() {
    #expect(PathCover([[Int]]()).chosen.isEmpty)
    #expect(PathCover([[Int](), []]).chosen.isEmpty)
  }
}
