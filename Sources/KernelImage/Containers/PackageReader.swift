/// Reads a package or tar file as a stream and keeps what belongs to a kernel.
struct PackageReader {
  /// Nothing is unpacked beyond these sizes, in bytes.
  enum Limit {
    /// A kernel with all its debug information.
    static let kernel = 2 << 30
    static let module = 256 << 20
    static let text = 64 << 20
    /// The whole stream: some three times the largest package of debug information.
    static let stream: UInt64 = 16 << 30
    /// The members of an archive; the largest source tree has a hundred thousand.
    static let members = 1 << 20
    /// What is kept of an archive at a time, packed and unpacked.
    static let kept = 4 << 30
  }

  /// A System.map of less than this is a stub that says where the real one is.
  static let smallestSystemMap = 1024

  /// Everything found under one version.
  private struct Group {
    var version: String
    var kernels: [Found] = []
    var modules: [Found] = []
    var configuration: Artefact.Member?
    var systemMap: Artefact.Member?
  }

  private struct Found {
    var place: PackagePath
    var contents: Artefact.Contents
  }

  /// The layers around the package's members.
  private let layers: [String]
  private var groups: [Group] = []
  private var memberCount = 0
  /// The size of the members that are kept, in bytes.
  private var kept = 0

  /// - Parameters:
  ///   - first: the archive's first member, which was already asked for.
  ///   - holdsOneKernel: true for the packages of distributions: then reading ends as soon as the
  ///     kernel and its modules are there. Their names are sorted, so what lies beside the
  ///     kernel under a smaller name has been seen by then.
  init(
    _ reader: consuming ArchiveReader, _ first: ArchiveReader.Entry, layers: [String],
    holdsOneKernel: Bool
  ) throws(ImageError) {
    self.layers = layers
    var next: ArchiveReader.Entry? = first
    while let entry = next {
      memberCount += 1
      guard memberCount <= Limit.members else {
        throw ImageError(
          .tooLarge, "has more than \(Limit.members) members", offset: reader.position)
      }
      let (end, overflow) = reader.unpackedPosition.addingReportingOverflow(
        UInt64(clamping: entry.size ?? 0))
      guard !overflow, end <= Limit.stream else {
        throw ImageError(
          .tooLarge, "unpacks to more than \(Limit.stream) bytes", offset: reader.position)
      }
      if entry.isRegularFile, entry.size != 0, let place = PackagePath(entry.path) {
        do {
          try take(place, entry, &reader)
        } catch {
          throw error.inside(place.path)
        }
        if holdsOneKernel && isComplete { break }
      }
      next = try reader.next()
    }
  }

  private var isComplete: Bool {
    groups.contains { group in
      // The modules of a debug package hold no code, so its kernel is all there is.
      group.kernels.contains { $0.place.isDebug }
        || !group.kernels.isEmpty && group.modules.count >= PackagePath.moduleNames.count
    }
  }

  private mutating func take(
    _ place: PackagePath, _ entry: ArchiveReader.Entry, _ reader: inout ArchiveReader
  ) throws(ImageError) {
    let own =
      switch place.role {
      case .vmlinux, .bootImage: Limit.kernel
      case .module: Limit.module
      case .configuration, .systemMap: Limit.text
      }
    let limit = min(own, Limit.kept - kept)
    guard limit > 0 else { throw Self.tooMuch }
    if place.role == .systemMap, let size = entry.size, size < Self.smallestSystemMap { return }
    let contents = Artefact.Contents(
      try reader.member(size: entry.size, limit: limit))
    kept += contents.bytes.count
    let group = indexOfGroup(place.version)
    let text = Artefact.Member(name: place.path, contents: contents, layers: layers)
    switch place.role {
    case .vmlinux, .bootImage:
      // Scripts and notes lie beside a kernel under names that start as its own.
      if contents.kind != .other {
        groups[group].kernels.append(Found(place: place, contents: contents))
      }
    case .module: groups[group].modules.append(Found(place: place, contents: contents))
    case .configuration: groups[group].configuration = groups[group].configuration ?? text
    case .systemMap: groups[group].systemMap = groups[group].systemMap ?? text
    }
  }

  private mutating func indexOfGroup(_ version: String) -> Int {
    if let index = groups.firstIndex(where: { $0.version == version }) { return index }
    groups.append(Group(version: version))
    return groups.count - 1
  }

  private static var tooMuch: ImageError {
    ImageError(.tooLarge, "holds more than \(Limit.kept) bytes of kernels")
  }

  /// What was found; `path` is the package's own.
  func artefacts(path: String) throws(ImageError) -> [Artefact] {
    let kernels = groups.filter { !$0.kernels.isEmpty }
    var found: [Artefact] = []
    var unpacked = kept
    for group in kernels {
      guard let kernel = try kernel(of: group) else { continue }
      unpacked += kernel.member.contents.bytes.count
      guard unpacked <= Limit.kept else { throw Self.tooMuch }
      // With a single kernel everything belongs to it, whatever versions the names say.
      let others = kernels.count == 1 ? groups.filter { $0.version != group.version } : []
      let family = [group] + others
      let modules = try modules(of: family.first { !$0.modules.isEmpty })
      found.append(
        Artefact(
          path: kernels.count == 1 ? path : "\(path)/\(kernel.name)", kernel: kernel.member,
          modules: modules,
          configuration: family.lazy.compactMap(\.configuration).first,
          systemMap: family.lazy.compactMap(\.systemMap).first,
          embeddedCommandLine: kernel.commandLine))
    }
    if found.isEmpty {
      for group in groups {
        let modules = try modules(of: group)
        if !modules.isEmpty {
          found.append(
            Artefact(path: path, modules: modules, configuration: group.configuration))
        }
      }
    }
    guard !found.isEmpty else {
      throw ImageError(
        .noKernel, "holds no vmlinux, vmlinuz or kvm-intel module among its \(memberCount) members")
    }
    return found
  }

  private struct Kernel {
    var member: Artefact.Member
    var commandLine: String?
    var name: String { member.name }
  }

  /// The kernel of a group: vmlinux before vmlinuz, because only it may have symbols.
  private func kernel(of group: Group) throws(ImageError) -> Kernel? {
    let byRank =
      group.kernels.filter { $0.place.role == .vmlinux }
      + group.kernels.filter { $0.place.role == .bootImage }
    for found in byRank {
      let elf = try unwrap(found)
      guard elf.outline.kind == .kernel, elf.outline.hasCode else { continue }
      return Kernel(
        member: Artefact.Member(name: found.place.path, elf), commandLine: elf.commandLine)
    }
    return nil
  }

  private func modules(of group: Group?) throws(ImageError) -> [Artefact.Member] {
    var modules: [Artefact.Member] = []
    for found in group?.modules ?? [] {
      let elf = try unwrap(found)
      guard elf.outline.kind == .module, elf.outline.hasCode else { continue }
      modules.append(Artefact.Member(name: found.place.path, elf))
    }
    return modules
  }

  private func unwrap(_ found: Found) throws(ImageError) -> UnwrappedElf {
    do {
      return try UnwrappedElf(found.contents, layers: layers)
    } catch {
      throw error.inside(found.place.path)
    }
  }
}

extension ArchiveReader {
  /// The contents of the current member.
  /// - Parameters:
  ///   - size: what the archive states; nil if it states nothing.
  ///   - limit: the most bytes that are taken.
  mutating func member(size: Int?, limit: Int) throws(ImageError) -> ImageBytes {
    if let size, size > limit {
      throw ImageError(
        .tooLarge, "has \(size) bytes, at most \(limit) are taken", offset: position)
    }
    var writer = try MemoryWriter(limit: size ?? limit, expected: size ?? 0)
    guard try copyMember(into: &writer) else {
      throw ImageError(
        .tooLarge, "has more than \(writer.limit) bytes", offset: position)
    }
    // A sparse member may end in a hole, which no block tells.
    if let size, writer.count < size { _ = try writer.skip(to: size) }
    return try writer.finish()
  }
}
