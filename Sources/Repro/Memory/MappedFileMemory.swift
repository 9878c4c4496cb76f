import CKernel
import Glibc

extension MemoryKind {
  /// Pages of the page cache of a file on ext4.
  public static let ext4Mapped = mapped("ext4", [.inPlace])
  /// Pages of the page cache of a file on xfs.
  public static let xfsMapped = mapped("xfs", [.inPlace])
  /// Pages of the page cache of a file on btrfs.
  public static let btrfsMapped = mapped("btrfs", [])

  private static func mapped(_ fileSystem: String, _ more: Set<MemoryKind.Trait>) -> MemoryKind {
    let disk = GuestDisk(fileSystem, fileSystem: fileSystem)
    return MemoryKind(
      "\(fileSystem)-mapped", "a shared mapping of a file on \(fileSystem): pages of the page cache, clean",
      needs: [.pageMap, disk.need], traits: more.union([.divisible, .cached]), maximumDepth: 256, disk: disk
    ) { pieces, length throws(KernelError) in
      try MappedFileMemory(in: disk.folder, pieces: pieces, pieceLength: length)
    }
  }
}

/// `mmap(MAP_SHARED)` of an unnamed file on a disk. What I/O brings there must reach the disk too: whoever writes
/// the page back has to see that it is dirty.
final class MappedFileMemory: MappedMemory, Memory, @unchecked Sendable {
  private let file: CInt
  private let direct: CInt

  /// - Parameter folder: on the file system to use.
  init(in folder: String, pieces: Int, pieceLength: Int) throws(KernelError) {
    file = open(folder, O_RDWR | O_CLOEXEC | ck_o_tmpfile(), 0o600)
    if file < 0 { throw .last("open an unnamed file in \(folder)") }
    direct = open("/proc/self/fd/\(file)", O_RDWR | O_CLOEXEC | ck_o_direct())
    if direct < 0 {
      let error = KernelError.last("open the file in \(folder) for direct I/O")
      close(file)
      throw error
    }
    try super.init(pieces: pieces, pieceLength: pieceLength, unit: kernelPageSize, flags: MAP_SHARED)
  }

  deinit {
    close(direct)
    close(file)
  }

  var backing: BackingFile? { BackingFile(descriptor: file, direct: direct, base: base) }

  override func map(_ start: UnsafeMutableRawPointer, _ length: Int) throws(KernelError) {
    try AddressRange.map(start, length, MAP_SHARED, file, offset: start - base)
  }

  override func renew() throws(KernelError) {
    // Cut and grown again: all its pages are gone, and its blocks.
    if ftruncate(file, 0) != 0 || ftruncate(file, off_t(length)) != 0 { throw .last("ftruncate the file") }
    try map(base, length)
  }

  /// Brings the fill to the disk, so that it tells later what reached it.
  func enter(_ pages: PagesUnderIO) throws(KernelError) {
    if fsync(file) != 0 { throw .last("fsync the mapped file") }
  }

  func prove(_ entries: [PageMapEntry], _ flags: PageFlags?) -> Proof {
    guard entries.allSatisfy({ $0.isPresent && $0.isFileOrShared }), flags?.isAnonymous != true else {
      return .missed("no page of the file is mapped")
    }
    return .reached("pages of a file's page cache")
  }

  /// Another file's page over it.
  func replace(_ address: UnsafeMutableRawPointer) throws(KernelError) {
    try replaceByMemfd(address, MAP_SHARED)
  }
}
