/// The exit statuses of the command line and how a report leads to one.
///
/// The numbers from 64 on are those of sysexits.h.
public enum ExitStatus {
  /// Nothing was found.
  public static let success: Int32 = 0
  /// A finding of the severity asked for, or above it.
  public static let findings: Int32 = 1
  /// A boot path could not be determined.
  public static let undetermined: Int32 = 2
  /// EX_USAGE: a wrong command line.
  public static let usage: Int32 = 64
  /// EX_DATAERR: an input is not what it should be.
  public static let dataError: Int32 = 65
  /// EX_NOINPUT: an input is not there or cannot be read.
  public static let noInput: Int32 = 66
  /// EX_UNAVAILABLE: a program that is needed is missing.
  public static let unavailable: Int32 = 69
  /// EX_SOFTWARE: a fault of the tool.
  public static let internalError: Int32 = 70
  /// Tells `git bisect run` to skip this revision.
  public static let bisectSkip: Int32 = 125
  /// Tells `git bisect run` to stop.
  public static let bisectAbort: Int32 = 128

  /// The exit status for `report`.
  ///
  /// A finding of at least `failOn` wins, because a build known to be bad stays bad whatever else
  /// could not be read; then a failed input (of several, the highest number, so that a fault of
  /// the tool is never hidden behind a bad file); then a path that could not be determined.
  public static func of(_ report: Report, failOn: Severity = .error) -> Int32 {
    if report.images.contains(where: { $0.hasFinding(atLeast: failOn) }) { return findings }
    let failures = report.images.compactMap { $0.error?.code.exitStatus }
    if let worst = failures.max() { return worst }
    return report.images.contains { $0.hasUndeterminedPath } ? undetermined : success
  }

  /// The exit status for `git bisect run`, where 1 to 124 and 126, 127 all mean *bad*.
  public static func ofBisection(_ report: Report, failOn: Severity = .error) -> Int32 {
    switch of(report, failOn: failOn) {
    case success: success
    case findings: findings
    case internalError: bisectAbort
    default: bisectSkip
    }
  }
}

extension ImageFailure.Code {
  /// What a run that failed on such an input exits with.
  public var exitStatus: Int32 {
    switch self {
    case .notFound, .noPermission, .unreadable: ExitStatus.noInput
    case .internal: ExitStatus.internalError
    case .unsupportedFormat, .wrongArchitecture, .truncated, .malformed, .tooLarge, .noKernel,
      .failedLibrary:
      ExitStatus.dataError
    }
  }
}

extension ImageReport {
  /// Whether a rule of at least this severity fired on the image.
  public func hasFinding(atLeast severity: Severity) -> Bool {
    findings.contains { $0.severity >= severity }
  }

  /// Whether any boot path of the image, or what its KVM says on any host, could not be determined.
  public var hasUndeterminedPath: Bool {
    paths.contains(where: \.isUndetermined) || host?.isUndetermined == true
  }
}

extension HostReport {
  /// Whether what KVM says on any host is unknown.
  public var isUndetermined: Bool {
    undeterminedBecause != nil || hosts.contains { $0.undeterminedBecause != nil }
  }
}

extension JudgedPath {
  /// Whether what the kernel chose, or whether it suffices, is unknown.
  public var isUndetermined: Bool {
    verdict == .undetermined || outcome.undeterminedBecause != nil
      || entryPoints.values.contains { $0.verdict == .undetermined }
  }
}
