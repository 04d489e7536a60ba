/// What a path given by the user holds: a kernel, modules, and what came with them.
public struct Artefact: Sendable {
  /// A file found in the artefact, unpacked.
  public struct Member: Sendable {
    /// The path inside the package or folder; the last part of the argument for a plain file.
    public var name: String
    /// The bytes of the ELF file (or text) itself, after every layer was taken off.
    public var contents: Contents
    /// The layers that were taken off, outermost first, such as `["deb", "tar.xz", "bzImage", "zstd"]`.
    public var layers: [String]

    public init(name: String, contents: Contents, layers: [String]) {
      self.name = name
      self.contents = contents
      self.layers = layers
    }
  }

  /// Shared ownership of a member's bytes.
  public final class Contents: Sendable {
    public let bytes: ImageBytes
    public init(_ bytes: consuming ImageBytes) { self.bytes = bytes }

    /// What `body` makes of the bytes, unless their file changed under it: whatever came of it is
    /// worth nothing then, an error too.
    func unchanged<Result>(
      _ body: () throws(ImageError) -> Result
    ) throws(ImageError) -> Result {
      let result: Result
      do {
        result = try body()
      } catch {
        try bytes.requireUnchanged()
        throw error
      }
      try bytes.requireUnchanged()
      return result
    }
  }

  /// The argument as typed; for a folder of several kernels, the folder and the kernel's name.
  public var path: String
  /// vmlinux, if there is one.
  public var kernel: Member?
  /// Modules that matter here (kvm-intel, or the module that was given).
  public var modules: [Member]
  /// The text of a kernel configuration that came with the kernel (`config-VERSION`).
  public var configuration: Member?
  /// The text of a System.map that came with the kernel, unless it is a stub.
  public var systemMap: Member?
  /// The command line of a unified kernel image (PE section `.cmdline`).
  public var embeddedCommandLine: String?
  /// Why a kernel of a folder has no `kernel` here; nil for all that could be opened.
  public var failure: ImageError?

  public init(
    path: String, kernel: Member? = nil, modules: [Member] = [], configuration: Member? = nil,
    systemMap: Member? = nil, embeddedCommandLine: String? = nil,
    failure: ImageError? = nil
  ) {
    self.path = path
    self.kernel = kernel
    self.modules = modules
    self.configuration = configuration
    self.systemMap = systemMap
    self.embeddedCommandLine = embeddedCommandLine
    self.failure = failure
  }

  /// Requires that every file that is still read from is as it was when it was opened; after the
  /// last look at it. Error: `unreadable`.
  public func requireUnchanged() throws(ImageError) {
    if let kernel { try kernel.contents.bytes.requireUnchanged() }
    for member in modules + [configuration, systemMap].compactMap(\.self) {
      do {
        try member.contents.bytes.requireUnchanged()
      } catch {
        throw error.inside(member.name)
      }
    }
  }
}
