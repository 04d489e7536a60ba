internal import Mitigation

/// A function of the kernel that hands out memory, which the machine answers from a pool of its own.
struct Allocator: Sendable, Decodable {
  /// In what form the memory is handed out.
  enum Form: String, Sendable, Decodable {
    /// An address in the kernel's direct map.
    case address
    /// A `struct page`.
    case page
    /// A distance from the base of per-CPU data.
    case perCPU = "per-cpu"
  }

  var symbol: String
  /// The argument that is the size in bytes, counted from 0; nil: `bytes`.
  var argument: Int?
  /// How much is handed out where no argument tells; or the least, where one does.
  var bytes: UInt32?
  var gives: Form
  var reason: String
}

/// Code that the machine puts in place of functions of the kernel.
enum HelperCode {
  /// The second operand of an instruction that names an argument's register as the source of a
  /// move to R11, in the order of the arguments (mov %rdi,%r11 …; System V AMD64 ABI, 3.2.3).
  private static let moves: [[UInt8]] = [
    [0x49, 0x89, 0xfb], [0x49, 0x89, 0xf3], [0x49, 0x89, 0xd3], [0x49, 0x89, 0xcb],
    [0x4d, 0x89, 0xc3], [0x4d, 0x89, 0xcb],
  ]

  /// Hands out whole pages from the pool, of which the word at `cursor` is the next free address.
  static func allocator(_ allocator: Allocator, cursor: UInt64, perCPUBase: UInt64) -> [UInt8]? {
    var code: [UInt8] = []
    // movabs $cursor,%r10; mov (%r10),%rax
    code += [0x49, 0xba] + little(cursor) + [0x49, 0x8b, 0x02]
    if let argument = allocator.argument {
      guard moves.indices.contains(argument) else { return nil }
      code += moves[argument]
    } else {
      // mov $bytes,%r11d
      code += [0x41, 0xbb] + little(allocator.bytes ?? 4096)
    }
    // add $0xfff,%r11; and $-0x1000,%r11; add %rax,%r11; mov %r11,(%r10)
    code += [0x49, 0x81, 0xc3, 0xff, 0x0f, 0, 0, 0x49, 0x81, 0xe3, 0, 0xf0, 0xff, 0xff]
    code += [0x49, 0x01, 0xc3, 0x4d, 0x89, 0x1a]
    switch allocator.gives {
    case .address: break
    case .page:
      // movabs $direct map,%r11; sub %r11,%rax; shr $6,%rax: a struct page has 64 bytes for 4096
      code += [0x49, 0xbb] + little(AddressMap.directMap) + [0x4c, 0x29, 0xd8]
      code += [0x48, 0xc1, 0xe8, 0x06]
      // movabs $vmemmap,%r11; add %r11,%rax
      code += [0x49, 0xbb] + little(AddressMap.pageMap) + [0x4c, 0x01, 0xd8]
    case .perCPU:
      // movabs $base,%r11; sub %r11,%rax
      code += [0x49, 0xbb] + little(perCPUBase) + [0x4c, 0x29, 0xd8]
    }
    return code + [0xc3]
  }

  /// __static_call_update(key, tramp, func): writes a jump into the trampoline and the function into
  /// the key, as the kernel does before it patches call sites (kernel/static_call_inline.c).
  static let staticCallUpdate: [UInt8] = [
    0x48, 0x89, 0x17,  // mov %rdx,(%rdi)
    0x48, 0x85, 0xf6, 0x74, 0x14,  // test %rsi,%rsi; je out
    0x48, 0x85, 0xd2, 0x74, 0x0f,  // test %rdx,%rdx; je out
    0x48, 0x89, 0xd0,  // mov %rdx,%rax
    0x48, 0x29, 0xf0,  // sub %rsi,%rax
    0x83, 0xe8, 0x05,  // sub $5,%eax
    0xc6, 0x06, 0xe9,  // movb $0xe9,(%rsi)
    0x89, 0x46, 0x01,  // mov %eax,1(%rsi)
    0xc3,  // out: ret
  ]

  /// Calls a function with an argument and returns 0:
  /// smp_call_function_single(cpu, func, info, wait).
  static let callSecondArgument: [UInt8] = [
    0x48, 0x89, 0xd7,  // mov %rdx,%rdi
    0x48, 0x83, 0xec, 0x08,  // sub $8,%rsp
    0xff, 0xd6,  // call *%rsi
    0x48, 0x83, 0xc4, 0x08,  // add $8,%rsp
    0x31, 0xc0, 0xc3,  // xor %eax,%eax; ret
  ]

  /// movabs $target,%rax; jmp *%rax
  static func jump(to target: UInt64) -> [UInt8] { [0x48, 0xb8] + little(target) + [0xff, 0xe0] }

  static func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
