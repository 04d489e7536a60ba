import Foundation
import Mitigation

/// Runs one boot: answers what QEMU's emulation does not have, and gathers what the kernel did.
struct BootDriver {
  let qemu: QEMU
  let kernel: String
  let tier: BootTier
  let timeOut: Duration

  func observe(
    _ scenario: BootScenario, _ targets: BootTargets, in folder: String
  ) throws(RealBootError) -> BootObservation {
    let deadline = ContinuousClock.now.advanced(by: timeOut)
    let serial = "\(folder)/serial"
    try write(Initramfs.archive, to: "\(folder)/initramfs")
    try? FileManager.default.removeItem(atPath: serial)
    var process = try QEMUProcess.started(
      qemu.executable, arguments: qemu.arguments(scenario, kernel: kernel, folder: folder),
      messages: "\(folder)/messages")
    do throws(RealBootError) {
      var remote = try GDBRemote.connected(to: "\(folder)/gdb", deadline: deadline) {
        process.isRunning()
      }
      var session = BootSession(scenario, targets)
      try session.runToEnd(&remote)
      let memory = try session.memory(&remote)
      if tier == .full {
        try session.goOn(&remote)
        try finish(&remote, &session, &process, serial, deadline)
      }
      let console = Console(text: text(of: serial))
      return BootObservation(
        tier: tier, cpuid: session.cpuid, msrs: session.msrs, log: console.log,
        sysfs: console.sysfs, memory: memory)
    } catch {
      throw explained(error, serial, "\(folder)/messages")
    }
  }

  /// Waits for the first process to say that it is done.
  private func finish(
    _ remote: inout GDBRemote, _ session: inout BootSession, _ process: inout QEMUProcess,
    _ serial: String, _ deadline: ContinuousClock.Instant
  ) throws(RealBootError) {
    while !text(of: serial).contains(InitProgram.endMark) {
      guard process.isRunning() else {
        // It may have written the mark and powered off in between.
        if text(of: serial).contains(InitProgram.endMark) { return }
        throw RealBootError(.qemu, "the boot ended before its first process was done")
      }
      guard ContinuousClock.now < deadline else {
        throw RealBootError(.timeOut, "the boot took too long")
      }
      do throws(RealBootError) {
        if let stop = try remote.stop(withinMilliseconds: 50) {
          try session.answer(stop, &remote)
        }
      } catch {
        // A machine that powers off takes its stub with it.
        if text(of: serial).contains(InitProgram.endMark) { return }
        throw error
      }
    }
  }

  private func text(of file: String) -> String {
    FileManager.default.contents(atPath: file).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  private func write(_ bytes: [UInt8], to file: String) throws(RealBootError) {
    do {
      try Data(bytes).write(to: URL(filePath: file))
    } catch {
      throw RealBootError(.system, "\(file): \(error.localizedDescription)")
    }
  }

  /// The error with the last thing that QEMU or the kernel said.
  private func explained(
    _ error: RealBootError, _ serial: String, _ messages: String
  ) -> RealBootError {
    let said = [messages, serial].lazy
      .map { text(of: $0).split(whereSeparator: \.isNewline).last.map(String.init) ?? "" }
      .first { !$0.isEmpty }
    guard let said else { return error }
    return RealBootError(error.code, "\(error.message); the last line: \(said.prefix(200))")
  }
}

/// What a boot printed on its serial line.
struct Console {
  var log: [String] = []
  var sysfs: String?

  init(text: String) {
    for line in text.split(whereSeparator: \.isNewline) {
      if let mark = line.range(of: InitProgram.sysfsMark) {
        let value = line[mark.upperBound...]
        sysfs = value.isEmpty ? nil : String(value)
      } else {
        log.append(String(Self.withoutTime(line)))
      }
    }
  }

  /// Without `[    0.123456] ` in front.
  private static func withoutTime(_ line: Substring) -> Substring {
    guard line.first == "[", let end = line.firstIndex(of: "]") else { return line }
    let time = line[line.index(after: line.startIndex)..<end]
    guard time.contains("."), time.allSatisfy({ $0.isNumber || $0 == "." || $0 == " " }) else {
      return line
    }
    return line[line.index(after: end)...].drop { $0 == " " }
  }
}
