public import KernelImage

/// An image to make mutants of, with the modules that belong to it.
public struct MutationSubject: Sendable {
  /// As it was given.
  public var path: String
  public var kernel: KernelImage
  public var modules: [KernelModule]

  public init(path: String, kernel: KernelImage, modules: [KernelModule] = []) {
    self.path = path
    self.kernel = kernel
    self.modules = modules
  }

  /// Opens an artefact, with modules and a System.map that were given beside it.
  ///
  /// Errors: those of `KernelImage` and `KernelModule`, and why the artefact could not be opened.
  public init(
    _ artefact: Artefact, modules: [Artefact.Member] = [], systemMap: Artefact.Member? = nil
  ) throws(ImageError) {
    if let failure = artefact.failure { throw failure }
    path = artefact.path
    kernel = try KernelImage(artefact, systemMap: systemMap)
    self.modules = []
    for member in artefact.modules + modules { self.modules.append(try KernelModule(member)) }
  }
}
