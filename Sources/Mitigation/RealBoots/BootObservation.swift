/// How far a real boot goes.
public enum BootTier: String, Sendable, Hashable, Codable, CaseIterable {
  /// To the entry of `rest_init`: patched text and log.
  case fast
  /// To the first process: also sysfs, and what test suites in the kernel print.
  case full
}

/// What a real boot showed.
public struct BootObservation: Sendable, Hashable, Codable {
  /// A part of the kernel's memory after it patched itself.
  public struct Memory: Sendable, Hashable, Codable {
    public var address: Address
    public var bytes: HexBytes

    public init(address: UInt64, bytes: [UInt8]) {
      self.address = Address(address)
      self.bytes = HexBytes(bytes)
    }
  }

  public var tier: BootTier
  /// The CPUID answers that the kernel got, each query once, in the order of leaf and subleaf.
  public var cpuid: [CPUIDAccess]
  /// The registers it read, each once.
  public var msrs: [MSRAccess]
  /// The lines of the console without their time.
  public var log: [String]
  /// The line of `vulnerabilities/spectre_v2`; null if the boot did not go that far.
  @OrNull public var sysfs: String?
  public var memory: [Memory]

  public init(
    tier: BootTier, cpuid: [CPUIDAccess], msrs: [MSRAccess], log: [String], sysfs: String?,
    memory: [Memory]
  ) {
    self.tier = tier
    self.cpuid = cpuid
    self.msrs = msrs
    self.log = log
    self.sysfs = sysfs
    self.memory = memory
  }

  /// The bytes of `count` bytes of memory from `address` on; nil if they were not read.
  public func bytes(at address: UInt64, count: Int) -> [UInt8]? {
    for part in memory {
      let start = part.address.value
      let end = start &+ UInt64(part.bytes.bytes.count)
      guard address >= start, address &+ UInt64(count) <= end else { continue }
      let offset = Int(address - start)
      return Array(part.bytes.bytes[offset..<offset + count])
    }
    return nil
  }
}

/// What became of an attempt to boot.
public enum BootAttempt: Sendable, Hashable {
  case observed(BootObservation, fromCache: Bool)
  /// Why there is nothing to compare.
  case failed(String)
}
