import Mitigation

extension [Finding] {
  /// The findings with those about boot paths linked to what else was found and explains them: a
  /// wrong detection, or a feature that is forced too late.
  ///
  /// A finding that already follows from another one stays as it is.
  var linkedToCauses: [Finding] {
    map { finding in
      guard finding.followsFrom.isEmpty else { return finding }
      var linked = finding
      let leaders = filter { leader in
        CauseLinks.followers[leader.id]?.contains(finding.id) == true
          && (leader.paths.isEmpty || !Set(leader.paths).isDisjoint(with: finding.paths))
      }
      linked.followsFrom = Set(leaders.map(\.id)).sorted()
      return linked
    }
  }
}

/// What such faults lead to on boot paths.
enum CauseLinks {
  static let followers: [RuleID: Set<RuleID>] = [
    .bitWithoutEffect: [.excessive],
    .invertedPolarity: [.silentGuestShort, .belowPolicy, .falseClaim, .excessive],
    .bitOutOfPlace: [.silentGuestShort, .belowPolicy, .falseClaim],
    .longRequiredIgnored: [.belowPolicy, .falseClaim],
    .wrongBit: [.silentGuestShort, .belowPolicy, .falseClaim, .excessive],
    .forcedTooLate: [.silentGuestShort, .belowPolicy, .falseClaim, .offByBuild],
  ]
}
