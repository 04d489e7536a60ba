import Foundation
import Testing

/// `inspect --host`: KVM built in, KVM in modules, and what is missing or asked for wrongly.
@Suite("inspect --host", .enabled(if: Tool.hasSamples, "to build them: make -C vmlinux-samples"))
struct HostTests {
  /// The samples' own contract, which names the capabilities of their KVM.
  private let contract = [
    "--data", Tool.repository.appending(component: "vmlinux-samples").path(), "--contract",
    "sample-kvm-bit-30",
  ]
  private let modules = ["--kvm", module("kvm"), "--kvm-intel", module("kvm-intel")]

  private static func module(_ name: String) -> String {
    Tool.repository.appending(components: "vmlinux-samples", "build", "\(name).ko").path()
  }

  private func run(_ arguments: [String]) throws -> Tool.Result {
    try Tool().run(["inspect", "--static", "--host"] + arguments)
  }

  @Test func builtInAndInModules() throws {
    for arguments in [[Tool.sample("kvm")], [Tool.sample("kvm-modules")] + modules] {
      let result = try run(arguments + contract)
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.contains("\nHost  promises something on "))
      #expect(result.output.contains("yes, takes the control"))
      let json = try run(arguments + contract + ["--format", "json", "--jobs", "2"])
      let host = try #require(json.objects("images").first?["host"] as? [String: Any])
      #expect(host["modules"] as? [String] == (arguments.count == 1 ? [] : ["kvm", "kvm_intel"]))
      #expect((host["hosts"] as? [Any])?.isEmpty == false)
    }
  }

  @Test func theStatusFollowsFromWhatKVMSays() throws {
    #expect(try run([Tool.sample("kvm-stop-ignored")] + contract).status == 1)
    #expect(try run([Tool.sample("kvm-not-offered")] + contract).status == 0)
    #expect(
      try run([Tool.sample("kvm-not-offered"), "--fail-on", "warning"] + contract).status == 1)
    #expect(try run([Tool.sample("kvm-warns")] + contract).status == 2)
    // Asked by other numbers, which this KVM does not know.
    let other = try run([Tool.sample("kvm")])
    #expect(other.status == 0 && other.output.contains("BHB063"))
  }

  @Test func withoutItsModulesNothingIsKnown() throws {
    let result = try run([Tool.sample("kvm-modules")])
    #expect(result.status == 2)
    #expect(result.output.contains("KVM is not built in, and no module kvm-intel was given"))
  }

  @Test func whatIsAskedForWronglyIsOneClearLine() throws {
    let kernel = Tool.sample("kvm-modules")
    for (arguments, status, words) in [
      (
        ["inspect", kernel, "--kvm", Self.module("kvm")], 64, "--kvm and --kvm-intel are for --host"
      ),
      (["inspect", "--host", kernel, "--contract", "virtual-msr"], 64, "kvm-hint"),
      (["inspect", "--host", kernel, "--kvm", "/nonexistent"], 66, "/nonexistent"),
      (["inspect", "--host", kernel, "--kvm", kernel], 65, "where a module was expected"),
    ] {
      let result = try Tool().run(arguments)
      #expect(result.status == Int32(status), "\(arguments) \(result.errors)")
      #expect(result.errors.contains(words), "\(result.errors)")
      #expect(result.output.isEmpty)
    }
  }
}
