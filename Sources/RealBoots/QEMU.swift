import Foundation
import Mitigation

/// The emulator that runs real boots: qemu-system-x86_64, without acceleration, so that it runs
/// anywhere and shows what it is told to.
public struct QEMU: Sendable, Hashable {
  public static let name = "qemu-system-x86_64"

  public var executable: String

  /// Finds it: `path` if that is given, else in the folders of PATH.
  ///
  /// - Throws: `no-qemu`, with what to install.
  public init(path: String? = nil) throws(RealBootError) {
    if let path {
      guard FileManager.default.isExecutableFile(atPath: path) else {
        throw RealBootError(.noQEMU, "\(path) is no program")
      }
      executable = path
      return
    }
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    guard
      let found = folders.map({ "\($0)/\(Self.name)" })
        .first(where: FileManager.default.isExecutableFile)
    else {
      throw RealBootError(
        .noQEMU, "real boots need \(Self.name), which is not installed (Debian: qemu-system-x86)")
    }
    executable = found
  }

  /// The options for one boot, whose files lie in `folder`.
  func arguments(
    _ scenario: BootScenario, kernel: String, folder: String
  ) -> [String] {
    let model = scenario.model
    let features =
      [
        "vendor=\(Self.escaped(model.vendor))", "family=\(model.family)", "model=\(model.model)",
        "stepping=\(model.stepping)", "xlevel=\(model.highestExtendedLeaf)",
        // Otherwise QEMU drops what its emulation does not act on, and decisions hang on it.
        "x-force-features=on",
      ] + (model.highestLeaf.map { ["level=\($0)"] } ?? []) + model.features
    // The log is compared, also where the path's line says "quiet": the last word counts.
    let line = ["console=ttyS0 panic=-1 nokaslr", scenario.commandLine, "loglevel=7"]
      .filter { !$0.isEmpty }.joined(separator: " ")
    return [
      "-M", "q35", "-m", "512", "-nodefaults", "-no-user-config", "-display", "none",
      "-no-reboot", "-accel", "tcg", "-cpu", "qemu64,\(features.joined(separator: ","))",
      "-kernel", kernel, "-initrd", "\(folder)/initramfs", "-append", line,
      "-serial", "file:\(folder)/serial", "-S",
      "-chardev", "socket,path=\(folder)/gdb,server=on,wait=off,id=gdb", "-gdb", "chardev:gdb",
    ]
  }

  /// A comma ends a property unless it is doubled.
  private static func escaped(_ value: String) -> String {
    value.replacing(",", with: ",,")
  }
}
