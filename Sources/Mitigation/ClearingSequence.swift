/// How well one run of the clearing sequence overwrites the branch history.
///
/// The counts are those of Intel's "Branch History Injection and Intra-mode Branch Target
/// Injection", BHB-clearing sequence, and of the patch series that proposes the long one.
public enum SequenceClass: String, Sendable, Hashable, Codable, CaseIterable {
  /// At least 12 outer by 7 inner iterations: effective on every core known to need it.
  case long
  /// At least 5 by 5: effective on cores before Alder Lake and Sapphire Rapids.
  case short
  /// Fewer than 5 by 5: effective on no core.
  case deficient
  /// No sequence at all.
  case absent

  /// The class of a sequence that runs `inner` iterations in each of `outer` rounds.
  public init(outer: Int, inner: Int) {
    switch (outer, inner) {
    case (12..., 7...): self = .long
    case (5..., 5...): self = .short
    default: self = .deficient
    }
  }
}

/// Where a clearing sequence takes its loop counts from.
public enum SequenceShape: String, Sendable, Hashable, Codable, CaseIterable {
  /// Constants in the code (`mov $5, %ecx`).
  case immediate
  /// An alternatives entry inside the function exchanges the constants.
  case alternative
  /// Memory that boot code may write (`movzbl bhb_seq_outer_loop(%rip), %ecx`).
  case variable
  /// Registers that the caller loads.
  case caller
  /// There is no sequence.
  case absent
}

/// The branches that one run of a sequence executed, by kind.
public struct BranchCounts: Sendable, Hashable, Codable {
  public var call = 0
  public var jump = 0
  public var conditionalTaken = 0
  public var conditionalNotTaken = 0
  public var ret = 0

  public init() {}

  /// The branches that went into the history: all but untaken conditional ones.
  public var taken: Int { call + jump + conditionalTaken + ret }

  enum CodingKeys: String, CodingKey {
    case call, jump
    case conditionalTaken = "conditional_taken"
    case conditionalNotTaken = "conditional_not_taken"
    case ret
  }
}

/// Where a return of the sequence lies in its 64-byte cache line.
///
/// ITS ("Indirect Target Selection") lets returns in the lower half be mispredicted, so the last
/// byte of each must lie in the upper half.
public struct ReturnPlacement: Sendable, Hashable, Codable {
  public var address: Address
  /// The offset of the return's last byte in its 64-byte line, 0 to 63.
  public var lastByteInLine: Int

  public init(address: Address, lastByteInLine: Int) {
    self.address = address
    self.lastByteInLine = lastByteInLine
  }

  /// Whether the placement is safe.
  public var isInUpperHalf: Bool { lastByteInLine >= 32 }

  enum CodingKeys: String, CodingKey {
    case address
    case lastByteInLine = "last_byte_in_line"
  }
}

/// One form of the sequence that an image can select, as a run of it in the emulator measured it.
public struct SequenceVariant: Sendable, Hashable, Codable {
  /// Iterations of the outer loop; null if the run could not be measured.
  @OrNull public var outer: Int?
  /// Iterations of the inner loop in each round of the outer one.
  @OrNull public var inner: Int?
  /// The class of the counts; null if they are unknown.
  @OrNull public var sequenceClass: SequenceClass?
  /// Branches that went into the history.
  @OrNull public var takenBranches: Int?
  /// Whether a speculation barrier (LFENCE) was reached inside the function.
  @OrNull public var barrier: Bool?
  /// What selects this variant, in words: `always`, a feature, a value of the count variables.
  public var selectedBy: String
  @OrNull public var branches: BranchCounts?
  @OrNull public var instructions: Int?
  /// Why the run could not be measured.
  @OrNull public var undeterminedBecause: String?

  public init(
    outer: Int? = nil, inner: Int? = nil, barrier: Bool? = nil, selectedBy: String,
    branches: BranchCounts? = nil, instructions: Int? = nil, undeterminedBecause: String? = nil
  ) {
    self.outer = outer
    self.inner = inner
    if let outer, let inner {
      self.sequenceClass = SequenceClass(outer: outer, inner: inner)
    }
    self.takenBranches = branches?.taken
    self.barrier = barrier
    self.selectedBy = selectedBy
    self.branches = branches
    self.instructions = instructions
    self.undeterminedBecause = undeterminedBecause
  }

  enum CodingKeys: String, CodingKey {
    case outer, inner
    case sequenceClass = "class"
    case takenBranches = "taken_branches"
    case barrier
    case selectedBy = "selected_by"
    case branches, instructions
    case undeterminedBecause = "undetermined_because"
  }
}

/// The clearing sequence of an image with all its variants.
public struct ClearingSequence: Sendable, Hashable, Codable {
  @OrNull public var symbol: String?
  @OrNull public var address: Address?
  /// The size of the function, in bytes.
  @OrNull public var size: Int?
  public var shape: SequenceShape
  public var variants: [SequenceVariant]
  public var returns: [ReturnPlacement]

  public init(
    symbol: String?, address: Address?, size: Int?, shape: SequenceShape,
    variants: [SequenceVariant], returns: [ReturnPlacement] = []
  ) {
    self.symbol = symbol
    self.address = address
    self.size = size
    self.shape = shape
    self.variants = variants
    self.returns = returns
  }

  /// What an image without any sequence has.
  public static let absent = ClearingSequence(
    symbol: nil, address: nil, size: nil, shape: .absent, variants: [])
}
