import Foundation
import Mitigation

/// What boots showed before: a boot of the same image in the same scenario shows the same again.
struct BootCache: Sendable {
  let folder: String
  /// The image and the QEMU that ran it.
  private let subject: Fingerprint

  /// Changes when what is written down of a boot, or how it is run, changes.
  private static let version = 2

  /// Where boots are kept unless somebody says otherwise.
  static var standardFolder: String {
    let environment = ProcessInfo.processInfo.environment
    let base =
      environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
      ?? "\(environment["HOME"] ?? "/tmp")/.cache"
    return "\(base)/bhbcheck/boots"
  }

  /// - Parameter kernel: the bytes that are booted.
  init(kernel: UnsafeRawBufferPointer, qemu: QEMU, folder: String = standardFolder) {
    self.folder = folder
    var subject = Fingerprint()
    subject.add(kernel)
    // Another QEMU may answer otherwise; its file tells without starting it.
    let attributes = try? FileManager.default.attributesOfItem(atPath: qemu.executable)
    let size = (attributes?[.size] as? Int) ?? 0
    subject.add(Array("\(Self.version) \(qemu.executable) \(size)".utf8))
    self.subject = subject
  }

  func observation(
    _ scenario: BootScenario, _ targets: BootTargets, _ tier: BootTier
  ) -> BootObservation? {
    guard let file = file(scenario, targets, tier),
      let data = FileManager.default.contents(atPath: file)
    else { return nil }
    return try? JSONDecoder().decode(BootObservation.self, from: data)
  }

  /// Keeps it; a cache that cannot be written costs time, nothing else.
  func keep(_ observation: BootObservation, _ scenario: BootScenario, _ targets: BootTargets) {
    guard let file = file(scenario, targets, observation.tier),
      let data = try? JSONEncoder().encode(observation)
    else { return }
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try? data.write(to: URL(filePath: file), options: .atomic)
  }

  private func file(
    _ scenario: BootScenario, _ targets: BootTargets, _ tier: BootTier
  ) -> String? {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    // The path's name changes nothing of the boot.
    var scenario = scenario
    scenario.path = BootPath(
      cpu: "", environment: "", statement: .silent, commandLineName: "", commandLine: "")
    guard let first = try? encoder.encode(scenario), let second = try? encoder.encode(targets)
    else { return nil }
    var key = subject
    key.add(Array(first))
    key.add(Array(second))
    key.add(Array(tier.rawValue.utf8))
    return "\(folder)/\(key.text).json"
  }
}
