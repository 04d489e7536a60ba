public import KernelImage
public import Mitigation

/// Everything that an image says about the sequence and its sites without being run.
public struct StaticAnalysis: Sendable {
  public let table: AlternativesTable
  public let functions: SequenceFunctions
  public let features: FeatureNames
  public let survey: SiteSurvey
  /// BHB001, BHB031, BHB032, BHB040, BHB041 and BHB042. Those that rest on measured counts come from
  /// `CountFindings`.
  public let findings: [Finding]

  /// Analyses a kernel and the modules that came with it.
  public init(_ kernel: KernelImage, modules: [KernelModule] = []) throws(DecoderError) {
    let decoder = try Decoder()
    self.init(kernel, modules: modules, decoder)
  }

  /// The same with a decoder that is there already.
  public init(
    _ kernel: KernelImage, modules: [KernelModule] = [], _ decoder: borrowing Decoder
  ) {
    table = AlternativesTable(kernel)
    functions = SequenceFunctions(kernel, table, decoder)
    features = FeatureNames(kernel)
    survey = SiteFinder(kernel, table, functions, features).survey(modules: modules, decoder)
    findings =
      StaticFindings(
        kernel: kernel, table: table, functions: functions, features: features, survey: survey
      ).all
  }

  /// The sites as a report lists them.
  public var sites: [Site] { survey.sites.map(\.site) }

  /// The sequence as a report describes it, with what runs of it measured.
  ///
  /// Nil if the image has one whose shape is not known: `functions` says why.
  public func sequence(variants: [SequenceVariant]) -> ClearingSequence? {
    guard let function = functions.primary else { return .absent }
    guard let shape = function.shape else { return nil }
    return ClearingSequence(
      symbol: function.symbol, address: Address(function.address), size: function.size,
      shape: shape, variants: variants, returns: function.returns)
  }
}
