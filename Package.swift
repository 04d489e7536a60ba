// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

/// A library target of the package with its test target beside it.
func library(
  _ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []
) -> [Target] {
  [
    .target(
      name: name, dependencies: dependencies, resources: resources, swiftSettings: settings),
    .testTarget(
      name: name + "Tests", dependencies: [.byName(name: name)] + dependencies,
      swiftSettings: settings),
  ]
}

/// A C library of the system, found by pkg-config.
func system(_ name: String, pkgConfig: String, apt: String) -> Target {
  .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let package = Package(
  name: "bhbcheck",
  products: [.executable(name: "bhbcheck", targets: ["bhbcheck"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/stencilproject/Stencil", from: "0.15.1"),
  ],
  targets: [
    system("CElf", pkgConfig: "libelf", apt: "libelf-dev"),
    system("CArchive", pkgConfig: "libarchive", apt: "libarchive-dev"),
    system("CLzo", pkgConfig: "lzo2", apt: "liblzo2-dev"),
    system("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),
    system("CBpf", pkgConfig: "libbpf", apt: "libbpf-dev"),
    system("CCapstone", pkgConfig: "capstone", apt: "libcapstone-dev"),
    system("CUnicorn", pkgConfig: "unicorn", apt: "libunicorn-dev"),
    system("CCrypto", pkgConfig: "libcrypto", apt: "libssl-dev"),
    .systemLibrary(name: "CLinux"),
    .executableTarget(
      name: "bhbcheck",
      dependencies: [
        "Audit", "PatchTests", "RealBoots", "Inspection", "Reports", "Settings", "BootMachine",
        "KernelImage", "Mitigation",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: settings),
    .testTarget(name: "bhbcheckTests", dependencies: ["bhbcheck"], swiftSettings: settings),
  ]
    + library(
      "PatchTests",
      [
        "Inspection", "BootMachine", "KernelImage", "Mitigation",
        .product(name: "Stencil", package: "Stencil"),
      ],
      resources: [.embedInCode("Templates")])
    + library("RealBoots", ["Mitigation"])
    + library("Settings", ["Mitigation", .product(name: "Yams", package: "Yams")])
    + library("Reports", ["Mitigation"], resources: [.embedInCode("HTML/Page")])
    + library(
      "Audit",
      [
        "Reports", "Inspection", "KernelImage", "Mitigation",
        .product(name: "GRDB", package: "GRDB.swift"),
      ])
    + library(
      "Inspection", ["BootMachine", "Alternatives", "KernelImage", "Mitigation"],
      resources: [
        .embedInCode("Data"), .embedInCode("Samples/short.vmlinux"),
        .embedInCode("Samples/long.vmlinux"),
      ])
    + library(
      "BootMachine", ["Alternatives", "KernelImage", "Mitigation", "CUnicorn", "CLinux"],
      resources: [.embedInCode("Data")])
    + library("Alternatives", ["KernelImage", "Mitigation", "CCapstone"])
    + library("KernelImage", ["CElf", "CArchive", "CLzo", "CZstd", "CBpf", "CCrypto"])
    + library("Mitigation", resources: [.embedInCode("Data")]),
  swiftLanguageModes: [.v6]
)

// `make fuzz` builds one program with a fuzzer in it. Every other build has the same readers as tests,
// which go through the inputs that were found.
let readers: [Target.Dependency] = [
  "Alternatives", "Inspection", "KernelImage", "PatchTests", "Settings",
]
if Context.environment["BHBCHECK_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "fuzz", dependencies: readers, path: "fuzz", exclude: ["corpus", "run", "Tests"],
      sources: ["Targets", "Program"], swiftSettings: settings))
} else {
  package.targets.append(
    .testTarget(
      name: "FuzzTests", dependencies: readers, path: "fuzz",
      exclude: ["corpus", "run", "Program"],
      sources: ["Targets", "Tests"], swiftSettings: settings))
}
