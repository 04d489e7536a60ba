import Glibc

/// libFuzzer's own loop, which takes its options and folders as arguments (FuzzerDriver.cpp).
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
  _ count: UnsafeMutablePointer<Int32>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
  _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// What is fuzzed; the callback of libFuzzer has no place to keep it.
private let target = FuzzTarget(rawValue: getenv("FUZZ").map { String(cString: $0) } ?? "")

/// `FUZZ=TARGET fuzz [OPTION…] [FOLDER…]`: libFuzzer's options and folders; `--list` lists the
/// targets with the longest input each is given.
@main
enum FuzzProgram {
  static func main() {
    if CommandLine.arguments.dropFirst().first == "--list" {
      for target in FuzzTarget.allCases { print(target.rawValue, target.longest) }
      return
    }
    guard target != nil else {
      FuzzProgram.complain("FUZZ names no target; --list lists them")
      exit(64)
    }
    var count = CommandLine.argc
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
    exit(
      runFuzzer(&count, &arguments) { bytes, count in
        target?.run(UnsafeRawBufferPointer(start: bytes, count: count))
        return 0
      })
  }

  private static func complain(_ line: String) {
    let text = "fuzz: \(line)\n"
    _ = write(STDERR_FILENO, text, text.utf8.count)
  }
}
