import Glibc

/// A running QEMU; it ends with its owner.
struct QEMUProcess: ~Copyable {
  private let pid: pid_t
  private var status: Int32?

  private init(pid: pid_t) {
    self.pid = pid
    status = nil
  }

  /// Starts `executable`, which says what it has to say into the file `messages`.
  static func started(
    _ executable: String, arguments: [String], messages: String
  ) throws(RealBootError) -> QEMUProcess {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(
      &actions, STDOUT_FILENO, messages, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
    var words: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var started: pid_t = 0
    let error = posix_spawn(&started, executable, &actions, nil, words, environ)
    guard error == 0 else {
      throw RealBootError(.noQEMU, "\(executable): \(String(cString: strerror(error)))")
    }
    return QEMUProcess(pid: started)
  }

  deinit {
    guard status == nil else { return }
    kill(pid, SIGKILL)
    var ignored: Int32 = 0
    while waitpid(pid, &ignored, 0) < 0 && errno == EINTR {}
  }

  /// Whether it is still running.
  mutating func isRunning() -> Bool {
    guard status == nil else { return false }
    var found: Int32 = 0
    guard waitpid(pid, &found, WNOHANG) == pid else { return true }
    status = found
    return false
  }
}
