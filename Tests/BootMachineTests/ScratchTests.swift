import KernelImage
import Mitigation
import Testing
import Foundation
@testable import BootMachine

@Test func scratch() throws {
  let path = ProcessInfo.processInfo.environment["SCRATCH"] ?? ""
  guard !path.isEmpty else { return }
  let dump = try CPUIDDump.parse(String(contentsOfFile: ProcessInfo.processInfo.environment["DUMP"] ?? "", encoding: .utf8), name: "x")
  var p = dump
  p.msrs[0x10a] = 0x2b
  if let d = ProcessInfo.processInfo.environment["MSRDEF"] { p.msrDefault = .value(UInt64(d)!) }
  let a = Artefact(path: path, kernel: .init(name: path, contents: .init(try ImageBytes.mapping(path: path)), layers: []))
  let c = ContinuousClock()
  var t = c.now
  func lap(_ s: String) { print(s, c.now - t); t = c.now }
  let k = try KernelImage(a)
  lap("open")
  let program = try BootProgram(k)
  lap("program \(program.plan.msrSites.count) msr sites")
  let m = try Machine(program)
  lap("machine")
  for i in 0..<6 {
    t = c.now
    try m.prepare(p, commandLine: Array("".utf8))
    lap("prepare")
    var f: Failure? = nil
    for call in program.plan.chain { f = m.call(call); if f != nil { break } }
    lap("chain \(i) blocks \(m.state.blocks) cpuid \(m.state.cpuidQueries.count) msr \(m.state.msrAccesses.count)")
    if let f { print("FAIL", f.text(in: k)) }
    for w in m.state.warnings { print("WARN", w.text(in: k)) }
    if i == 0 { for l in m.state.log { print("|", String(decoding: l, as: UTF8.self)) }
      for a in m.state.msrAccesses where a.value == nil { print("fault", a) } }
    if let s = program.plan.spectreV2 {
      f = m.call(s, [0, 0, m.memory.map.page.guest])
      print(f.map { $0.text(in: k) } ?? String(decoding: m.state.cString(at: m.memory.map.page.guest), as: UTF8.self))
      lap("sysfs")
    }
  }
}
