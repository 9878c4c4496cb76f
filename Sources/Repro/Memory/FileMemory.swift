import CKernel
import Glibc
import SystemPackage

/// Mappings of a file on a disk, in the four states that an I/O can find them in.
extension MemoryKind {
  /// The file systems whose pages are mapped.
  private static let fileSystems = ["ext4", "xfs", "btrfs"]

  /// `ext4-shared`, `ext4-private`, ..., a state at a time.
  public static let files: [MemoryKind] = FileMemory.State.allCases.flatMap { state in
    fileSystems.map { file(state, on: $0) }
  }

  private static func file(_ state: FileMemory.State, on fileSystem: String) -> MemoryKind {
    let disk = GuestDisk(fileSystem, fileSystem: fileSystem)
    // btrfs writes whole pages, each to a new place.
    let inPlace: Set<MemoryKind.Trait> = fileSystem == "btrfs" ? [] : [.inPlace]
    return MemoryKind(
      "\(fileSystem)-\(state.rawValue)", "\(state.summary) on \(fileSystem)",
      needs: [.pageFrames, disk.placeNeed], traits: state.traits.union(inPlace),
      catalogued: state.isPrivate ? ["anon"] : [], maximumDepth: state == .large ? 64 : 256, disk: disk,
      withoutC: "it needs a folder on \(fileSystem), and a program has none"
    ) { pieces, length throws(KernelError) in
      try FileMemory(state, on: disk, pieces: pieces, pieceLength: length)
    }
  }
}

/// `mmap` of an unnamed file: what the page cache holds, or a private copy of it.
final class FileMemory: MappedMemory, Memory, @unchecked Sendable {
  /// What the I/O finds.
  enum State: String, Sendable, CaseIterable {
    /// Stored to through a shared mapping, and dirty.
    case shared
    /// The same, written back since: clean and write-protected, so that the I/O's fault asks the file system.
    case clean
    /// Part of a large folio of the page cache.
    case large
    /// Read through a private mapping: the I/O's fault copies the page cache's page.
    case `private`
    /// Stored to through a private mapping: copied already.
    case copied

    var isPrivate: Bool { self == .private || self == .copied }

    var summary: String {
      switch self {
      case .shared: "a shared mapping of a file, dirty,"
      case .clean: "a shared mapping of a file, written back,"
      case .large: "a shared mapping of a file, in large folios of the page cache,"
      case .private: "a private mapping of a file that was only read"
      case .copied: "a private mapping of a file that was stored to"
      }
    }

    var traits: Set<MemoryKind.Trait> {
      switch self {
      case .shared, .large: [.divisible]
      case .clean: [.divisible, .cached]
      case .private: [.private, .swappable, .divisible]
      case .copied: [.private, .swappable, .divisible, .mergeable]
      }
    }
  }

  private let state: State
  private let folder: String
  private let file: CInt
  /// The same file past the page cache.
  private let direct: CInt
  /// Bytes that are written in one call, so that file systems with large folios make one of them.
  private static let folio = 64 << 10

  init(_ state: State, on disk: GuestDisk, pieces: Int, pieceLength: Int) throws(KernelError) {
    self.state = state
    guard let folder = disk.place else {
      throw KernelError("find a folder on \(disk.fileSystem ?? disk.name)", .noSuchFileOrDirectory)
    }
    self.folder = folder
    file = try Self.unnamed(in: folder)
    direct = open("/proc/self/fd/\(file)", O_RDWR | O_CLOEXEC | ck_o_direct())
    if direct < 0 {
      let error = KernelError.last("open the file in \(folder) for direct I/O")
      close(file)
      throw error
    }
    try super.init(
      pieces: pieces, pieceLength: pieceLength, unit: state == .large ? Self.folio : kernelPageSize,
      flags: MAP_SHARED)
  }

  deinit {
    close(direct)
    close(file)
  }

  var backing: BackingFile? {
    state == .clean ? BackingFile(descriptor: file, direct: direct, base: base) : nil
  }

  /// Without a name, so that nothing is left whatever ends the process.
  private static func unnamed(in folder: String) throws(KernelError) -> CInt {
    let file = open(folder, O_RDWR | O_CLOEXEC | ck_o_tmpfile(), 0o600)
    if file < 0 { throw .last("make an unnamed file in \(folder)") }
    return file
  }

  override func map(_ start: UnsafeMutableRawPointer, _ length: Int) throws(KernelError) {
    // What is only read later is filled through a shared mapping first.
    let flags = state == .copied ? MAP_PRIVATE : MAP_SHARED
    try AddressRange.map(start, length, flags, file, offset: start - base)
  }

  override func renew() throws(KernelError) {
    // Cut and grown again: all its pages are gone.
    if ftruncate(file, 0) != 0 || ftruncate(file, off_t(length)) != 0 { throw .last("ftruncate the file") }
    if state == .large {
      let zeros = [UInt8](repeating: 0, count: Self.folio)
      for offset in Swift.stride(from: 0, to: length, by: Self.folio)
      where pwrite(file, zeros, zeros.count, off_t(offset)) != zeros.count {
        throw .last("write the file")
      }
    }
    try map(base, length)
  }

  var comesBackFilled: Bool { state == .private }
  var isFilled: Bool { true }
  var isZero: Bool { false }

  func enter(_ pages: PagesUnderIO) throws(KernelError) {
    switch state {
    case .shared, .large, .copied: break
    case .clean:
      if msync(base, length, MS_SYNC) != 0 { throw .last("msync") }
    case .private:
      try AddressRange.map(base, length, MAP_PRIVATE, file)
      for address in pages.addresses { _ = ck_load8(address) }
    }
  }

  func prove(_ entries: [PageMapEntry], _ flags: PageFlags?) -> Proof {
    guard let flags, entries.allSatisfy(\.isPresent) else { return .missed("no page is mapped") }
    if state == .copied {
      return entries.allSatisfy { !$0.isFileOrShared && $0.isExclusive } && flags.isAnonymous
        ? .reached("pagemap: anonymous pages, mapped here alone") : .missed("pagemap: pages of the file")
    }
    guard entries.allSatisfy(\.isFileOrShared), !flags.isAnonymous, !flags.isSwapBacked else {
      return .missed("kpageflags: no page of a file on a disk")
    }
    switch state {
    case .clean where flags.isDirty || flags.isUnderWriteback: return .missed("kpageflags: dirty")
    case .large where !flags.isCompound: return .missed("kpageflags: the page cache has base pages here")
    case .large: return .reached("kpageflags: part of a large folio of the page cache")
    default: return .reached("pagemap: pages of the file")
    }
  }

  /// A private page goes to swap; of a shared one the page table and the page cache let go, once it is written.
  func reclaim(_ pages: PagesUnderIO) throws(KernelError) -> [Bool] {
    guard !state.isPrivate else {
      for run in pages.runs { madvise(run.start, run.length, CInt(CK_MADV_PAGEOUT)) }
      return try pages.entries().map { !$0.isPresent }
    }
    if msync(base, length, MS_SYNC) != 0 { throw .last("msync") }
    for run in pages.runs { try advise(MADV_DONTNEED, "MADV_DONTNEED", run.start, run.length) }
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
    // mincore(2) sees what the page cache holds, mapped or not.
    return pages.addresses.map { ck_in_core($0) == 0 }
  }

  /// Another file's page over it.
  func replace(_ address: UnsafeMutableRawPointer) throws(KernelError) {
    if state == .copied { return try AnonMemory.moveCopy(over: address) }
    let other = try Self.unnamed(in: folder)
    defer { close(other) }
    if pwrite(other, address, kernelPageSize, 0) != kernelPageSize { throw .last("write the other file") }
    try AddressRange.map(address, kernelPageSize, state.isPrivate ? MAP_PRIVATE : MAP_SHARED, other)
  }
}

extension PageFlags {
  /// KPF_WRITEBACK.
  fileprivate var isUnderWriteback: Bool { has(8) }
}
