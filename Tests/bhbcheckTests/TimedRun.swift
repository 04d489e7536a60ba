import Foundation

/// One run of a program, with the time that it took of the processors.
struct TimedRun {
  /// The exit status; nil if a signal ended it.
  var status: Int32?
  /// What ended it, if something did.
  var signal: Int32?
  /// User and system, in seconds.
  var time: Double

  /// Runs `program` and waits for its end; what takes more than `limit` seconds of the processors is
  /// ended (SIGXCPU).
  init(
    _ program: String, _ arguments: [String], output: String, errors: String, limit: Int
  ) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    let words = ["sh", "-c", "ulimit -t \(limit); exec \"$0\" \"$@\"", program] + arguments
    var strings = words.map { strdup($0) } + [nil]
    defer { for string in strings { free(string) } }
    let names = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    var environment = names.map { strdup("\($0)=\($1)") } + [nil]
    defer { for string in environment { free(string) } }
    var process: pid_t = 0
    let code = posix_spawn(&process, "/bin/sh", &actions, nil, &strings, &environment)
    guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO) }
    var result: Int32 = 0
    var usage = rusage()
    while wait4(process, &result, 0, &usage) < 0 {
      guard errno == EINTR else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    }
    let ended = result & 0x7f
    status = ended == 0 ? result >> 8 & 0xff : nil
    signal = ended == 0 ? nil : ended
    time = Self.seconds(usage.ru_utime) + Self.seconds(usage.ru_stime)
  }

  private static func seconds(_ time: timeval) -> Double {
    Double(time.tv_sec) + Double(time.tv_usec) / 1e6
  }
}
