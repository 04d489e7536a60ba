import Foundation
import KernelImage
import Mitigation
import Reports
import Testing

/// Images with random damage: no crash, no hang, and no path that is better for it.
///
/// BHBCHECK_DAMAGED says how many (`make test-damaged` tries two thousand), BHBCHECK_DAMAGED_ONE the
/// number of a single one; BHBCHECK_TOOL names the executable, in place of the one beside the tests.
/// What fails is kept, and its place told.
@Suite(
  "Damaged images", .serialized,
  .enabled(if: Tool.hasSamples, "to build them: make -C vmlinux-samples"))
struct DamagedImageTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let count = environment["BHBCHECK_DAMAGED"].flatMap { Int($0) }
  private static let only = environment["BHBCHECK_DAMAGED_ONE"].flatMap { Int($0) }
  private static let tool = environment["BHBCHECK_TOOL"] ?? Tool.built.path()
  /// Seconds of the processors that an image may take: the debug build is some ten times slower.
  private static let longest = environment["BHBCHECK_TOOL"] == nil ? 60.0 : 5.0

  private let folder: Folder

  init() throws { folder = try Folder() }

  /// What an inspection left.
  private struct Inspection {
    var run: TimedRun
    var report: Report?
    var errors: String

    var verdicts: [String: Verdict] {
      Dictionary(
        (report?.images ?? []).flatMap(\.paths).compactMap { path in
          path.verdict.map { (path.path.id, $0) }
        }, uniquingKeysWith: { first, _ in first })
    }
  }

  private func inspect(_ bytes: [UInt8], as name: String) throws -> Inspection {
    let file = try folder.write(name, Data(bytes))
    let (output, errors) = (folder.path("out"), folder.path("err"))
    let run = try TimedRun(
      Self.tool, ["inspect", "--quiet", "--format", "json", file], output: output, errors: errors,
      limit: Int(Self.longest) * 4)
    let document = try Data(contentsOf: URL(filePath: output))
    return Inspection(
      run: run, report: document.isEmpty ? nil : try JSONReport.parse(document),
      errors: try String(contentsOfFile: errors, encoding: .utf8))
  }

  // MARK: What is damaged

  /// Samples of every kind, and the same packed.
  private func samples() throws -> [Original] {
    let names = [
      "short", "long-variables", "long-alternative", "caller", "no-detection", "inverted",
      "msr-contract", "malformed-size", "late-counts", "other-layout",
    ]
    var originals = try names.map { name in
      try Original(name: name, bytes: Array(Data(contentsOf: URL(filePath: Tool.sample(name)))))
    }
    for (tool, ending) in [("gzip", "gz"), ("xz", "xz"), ("zstd", "zst")] {
      let file = folder.path("packed")
      try folder.write("packed", Data(originals[1].bytes))
      let status = try Tool(executable: URL(filePath: "/usr/bin/env"))
        .run([tool, "-k", "-f", "-q", file]).status
      guard status == 0 else { continue }
      originals.append(
        try Original(
          name: "long-variables.\(ending)",
          bytes: Array(Data(contentsOf: URL(filePath: "\(file).\(ending)")))))
    }
    return originals
  }

  /// A distribution's kernel, as the package that it comes in and as the vmlinux in it.
  private func realKernel() throws -> [Original] {
    let path = Self.environment["BHBCHECK_KERNELS"]?.split(separator: ":").last.map(String.init)
    guard let path, let kernel = try Artefact.open(path: path).first?.kernel else {
      print("no real kernel among the damaged images: BHBCHECK_KERNELS names none")
      return []
    }
    return [
      try Original(name: "vmlinux", bytes: Array(kernel.contents.bytes.raw)),
      try Original(name: "package", bytes: Array(Data(contentsOf: URL(filePath: path)))),
    ]
  }

  // MARK: The tests

  private struct Figures {
    var refused = 0
    var inspected = 0
    var undetermined = 0
    var slowest = 0.0
  }

  /// Damages `originals` in turn, and says what it did.
  private func damage(
    _ originals: [Original], _ numbers: [Int]
  ) throws -> Figures {
    var figures = Figures()
    var verdicts: [[String: Verdict]] = []
    for original in originals {
      let whole = try inspect(original.bytes, as: original.name)
      #expect(whole.report?.images.first?.error == nil, "\(original.name): \(whole.errors)")
      verdicts.append(whole.verdicts)
    }
    for number in numbers where Self.only == nil || number == Self.only {
      let which = number % originals.count
      let original = originals[which]
      let (bytes, what) = original.damaged(number)
      var inspection = try inspect(bytes, as: original.name)
      // A busy machine takes twice the time of its processors: what has no end takes longer twice.
      if inspection.run.time > Self.longest {
        inspection = try inspect(bytes, as: original.name)
      }
      var name = "number \(number), \(original.name): \(what)"
      if inspection.run.signal != nil || inspection.run.time > Self.longest || Self.only != nil {
        name += ", kept as " + (try keep(bytes, number))
      }
      #expect(inspection.run.signal == nil, "\(name): signal \(inspection.run.signal ?? 0)")
      #expect(inspection.run.time <= Self.longest, "\(name): \(inspection.run.time) s")
      #expect([0, 1, 2, 65, 66].contains(inspection.run.status ?? 0), "\(name)")
      figures.slowest = max(figures.slowest, inspection.run.time)
      guard let image = inspection.report?.images.first else {
        #expect(inspection.run.signal != nil, "\(name): no report: \(inspection.errors)")
        continue
      }
      if image.error != nil {
        figures.refused += 1
        #expect(inspection.errors.split(separator: "\n").count == 1, "\(name)")
        continue
      }
      figures.inspected += 1
      let found = inspection.verdicts
      if found.values.contains(.undetermined) { figures.undetermined += 1 }
      let better = found.filter { id, verdict in
        let before = verdicts[which][id]
        return [.adequate, .excessive].contains(verdict)
          && before != .adequate && before != .excessive
      }
      let excused = Self.otherKernels.contains(number) ? 1 : 0
      #expect(
        better.count <= excused,
        "\(name): \(better.count) paths are better for it, such as \(better.keys.min() ?? "")")
    }
    return figures
  }

  private func keep(_ bytes: [UInt8], _ number: Int) throws -> String {
    let file = FileManager.default.temporaryDirectory
      .appending(component: "bhbcheck-damaged-\(number)")
    try Data(bytes).write(to: file)
    return file.path()
  }

  private func tell(_ figures: Figures, _ what: String) {
    print(
      "\(what): \(figures.refused) refused, \(figures.inspected) inspected, of which "
        + "\(figures.undetermined) with undetermined paths; the slowest took \(figures.slowest) s")
  }

  private static let wanted = count ?? 24
  /// A real kernel takes ten times as long as a sample: they are a fifth.
  private static let real = count == nil ? 0 : wanted / 5

  /// Numbers that once failed: a sequence that reads the last page of the address space, a table of
  /// init calls that leads nowhere, and BHI_DIS_S set on processors that do not have it.
  private static let found = [385, 684, 1008, 1287]

  /// Numbers whose damage makes another kernel, which decides otherwise by itself: the name of an
  /// option that the path's command line gives is gone from 320, and setup_force_cpu_cap() sets other
  /// features in 889. Nothing runs then beside mitigations=off, which is all that this asks for.
  private static let otherKernels: Set<Int> = [320, 889]

  @Test func noSampleIsBetterForIt() throws {
    let numbers = Array(0..<Self.wanted - Self.real) + (Self.count == nil ? Self.found : [])
    tell(try damage(try samples(), numbers), "\(numbers.count) damaged samples")
  }

  @Test(.enabled(if: real > 0, "a slow one: `make test-damaged`"))
  func noRealKernelIsBetterForIt() throws {
    let kernels = try realKernel()
    guard !kernels.isEmpty else { return }
    let numbers = Array(Self.wanted - Self.real..<Self.wanted)
    tell(try damage(kernels, numbers), "\(numbers.count) damaged kernels")
  }
}
