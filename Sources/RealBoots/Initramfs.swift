/// The initial file system of a boot: a cpio archive ("newc",
/// Documentation/driver-api/early-userspace/buffer-format.rst).
enum Initramfs {
  static var archive: [UInt8] {
    var bytes: [UInt8] = []
    add("dev", mode: 0o040755, to: &bytes)
    // Without a console the first process has nothing to write to.
    add("dev/console", mode: 0o020600, device: (5, 1), to: &bytes)
    add("sys", mode: 0o040755, to: &bytes)
    add("init", mode: 0o100755, InitProgram.image, to: &bytes)
    add("TRAILER!!!", mode: 0, to: &bytes)
    return bytes
  }

  private static func add(
    _ name: String, mode: UInt32, _ content: [UInt8] = [], device: (UInt32, UInt32) = (0, 0),
    to bytes: inout [UInt8]
  ) {
    // Inode numbers need only differ.
    let fields: [UInt32] = [
      UInt32(bytes.count), mode, 0, 0, 1, 0, UInt32(content.count), 0, 0, device.0, device.1,
      UInt32(name.utf8.count + 1), 0,
    ]
    bytes += Array("070701".utf8)
    for field in fields {
      let digits = String(field, radix: 16)
      bytes += Array((String(repeating: "0", count: 8 - digits.count) + digits).utf8)
    }
    bytes += Array(name.utf8) + [0]
    align(&bytes)
    bytes += content
    align(&bytes)
  }

  private static func align(_ bytes: inout [UInt8]) {
    while !bytes.count.isMultiple(of: 4) { bytes.append(0) }
  }
}
