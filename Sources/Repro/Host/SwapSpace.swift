import CKernel
import Glibc

/// Swap that the suite makes: on a device that somebody named, on a free zram device, or in a file.
///
/// Its header carries a number drawn for the purpose, so that only what is still ours is taken away again.
struct SwapSpace {
  /// A device, or a file in a folder of its own.
  let path: String
  /// Drawn; 16 bytes of the header (linux/swap.h, sws_uuid).
  let id: UInt64

  /// Bytes; a zram device gets a few pages more, to be told apart by its size.
  static let bytes = 64 << 20
  /// Bytes of a device that are used at the most.
  private static let most = 1 << 30
  private static let magic = "SWAPSPACE2"
  private static let idOffset = 1024 + 12

  /// Writes the header, and turns swap on.
  /// - Parameter first: whether pages are to go there, whatever other swap is on.
  func turnOn(first: Bool) throws(KernelError) {
    try writeHeader()
    try check(ck_swapon(path, first ? 1 : 0), "swapon \(path)")
  }

  private func writeHeader() throws(KernelError) {
    var about = stat()
    // O_EXCL on a block device: refuse one that is mounted. It must be closed again for swapon.
    let exclusive = stat(path, &about) == 0 && about.st_mode & S_IFMT == S_IFBLK ? O_EXCL : 0
    let device = open(path, O_RDWR | O_CLOEXEC | exclusive)
    if device < 0 { throw .last("open \(path)") }
    defer { Glibc.close(device) }
    // The kernel keeps a byte or more for each page.
    let size = min(lseek(device, 0, SEEK_END), Self.most)
    var header = [UInt8](repeating: 0, count: kernelPageSize)
    let info = [UInt32(1), UInt32(size / kernelPageSize - 1), 0]  // version, last page, bad pages
    info.withUnsafeBytes { header.replaceSubrange(1024..<1024 + $0.count, with: $0) }
    withUnsafeBytes(of: id) { header.replaceSubrange(Self.idOffset..<Self.idOffset + 8, with: $0) }
    header.replaceSubrange(kernelPageSize - Self.magic.utf8.count..<kernelPageSize, with: Self.magic.utf8)
    if pwrite(device, header, kernelPageSize, 0) != kernelPageSize {
      throw .last("write swap header to \(path)")
    }
    if fsync(device) != 0 { throw .last("fsync \(path)") }
  }

  /// Whether the header at `path` is the one that we wrote.
  var isOurs: Bool {
    let device = open(path, O_RDONLY | O_CLOEXEC)
    if device < 0 { return false }
    defer { Glibc.close(device) }
    var found: UInt64 = 0
    return pread(device, &found, 8, off_t(Self.idOffset)) == 8 && found == id
  }

  // MARK: Where

  /// The block device at `path`, by the name that /proc/swaps will have for it.
  /// - Parameter overwrite: whether its content may be lost.
  /// - Throws: SwapError where that is no block device, or its content may not be lost.
  static func blockDevice(_ path: String, overwrite: Bool) throws(SwapError) -> String {
    var about = stat()
    let place = SwapPlace(.device(path))
    if stat(path, &about) != 0 { throw .unusable(place, .last("stat")) }
    guard about.st_mode & S_IFMT == S_IFBLK else { throw .wrongType(path) }
    guard overwrite else { throw .wouldOverwrite(path) }
    guard let real = realpath(path, nil) else { throw .unusable(place, .last("realpath")) }
    defer { free(real) }
    return String(cString: real)
  }

  /// A zram device that nobody has set up.
  static func freeZram() -> String? {
    (0..<16).map { "zram\($0)" }.first { KernelFile.number("/sys/block/\($0)/disksize") == 0 }
  }

  /// A size for a zram device, drawn, so that the device can be told to be ours.
  static func drawSize() -> Int { bytes + .random(in: 1..<1024) * kernelPageSize }

  /// Where files are made: in a folder of root's own, so that its name is enough to remove them.
  static var scratchFolder: String { "/var/tmp/repro-swap.\(getpid())" }
  static let fileName = "swap"

  /// Makes the file in `folder`, which must not be there.
  static func makeFile(in folder: String) throws(KernelError) {
    if mkdir(folder, 0o700) != 0 { throw .last("make \(folder)") }
    let path = "\(folder)/\(fileName)"
    let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if file < 0 { throw .last("create swap file \(path)") }
    defer { Glibc.close(file) }
    let zeros = [UInt8](repeating: 0, count: 1 << 20)
    for _ in 0..<bytes >> 20 where write(file, zeros, zeros.count) != zeros.count {
      throw .last("write swap file \(path)")
    }
    if fsync(file) != 0 { throw .last("fsync \(path)") }
  }

  /// Removes the file and its folder, if the folder is root's own: nobody else can have made it so.
  /// - Returns: whether it was; nil when there is none.
  static func removeFile(in folder: String) throws(KernelError) -> Bool? {
    var about = stat()
    if lstat(folder, &about) != 0 {
      if errno == ENOENT { return nil }
      throw .last("stat \(folder)")
    }
    let isOwn =
      about.st_mode & S_IFMT == S_IFDIR && about.st_uid == geteuid() && about.st_mode & 0o7777 == 0o700
    guard isOwn else { return false }
    let path = "\(folder)/\(fileName)"
    if unlink(path) != 0 && errno != ENOENT { throw .last("remove \(path)") }
    if rmdir(folder) != 0 { throw .last("remove \(folder)") }
    return true
  }
}
