import Mitigation

extension [Finding] {
  /// The findings with those about boot paths linked to the faults of the detection that explain
  /// them.
  ///
  /// A finding that already follows from another one stays as it is.
  var linkedToDetection: [Finding] {
    map { finding in
      guard finding.followsFrom.isEmpty else { return finding }
      var linked = finding
      linked.followsFrom = filter { leader in
        DetectionLeads.followers[leader.id]?.contains(finding.id) == true
          && (leader.paths.isEmpty || !Set(leader.paths).isDisjoint(with: finding.paths))
      }.map(\.id)
      return linked
    }
  }
}

/// What a wrong detection leads to on boot paths.
enum DetectionLeads {
  static let followers: [RuleID: Set<RuleID>] = [
    .bitWithoutEffect: [.excessive],
    .invertedPolarity: [.silentGuestShort, .belowPolicy, .falseClaim, .excessive],
    .bitOutOfPlace: [.silentGuestShort, .belowPolicy, .falseClaim],
    .longRequiredIgnored: [.belowPolicy, .falseClaim],
    .wrongBit: [.silentGuestShort, .belowPolicy, .falseClaim, .excessive],
  ]
}
