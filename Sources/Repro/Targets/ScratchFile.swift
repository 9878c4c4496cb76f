import CKernel
import Glibc
import SystemPackage

extension TargetKind {
  /// A file or block device that somebody names.
  public static let scratch = TargetKind(
    "scratch",
    "a folder (gets an unnamed file), a new file or a block device; runs free, or is held by a fault",
    schedules: [.race, .staged, .free], path: nil, takesPath: true, holdsByFault: true, c: ScratchFile.c
  ) { spec, pattern throws(TargetError) in
    do throws(TargetError) {
      return try ScratchFile(
        path: spec.path ?? TargetSpec.usualFolder, overwrite: spec.overwrite,
        length: ScratchFile.longestTransfer, pattern: pattern)
    } catch {
      // Only a target that somebody named is somebody's mistake.
      if spec.path != nil && !spec.isOptional { throw error }
      throw .missing("no target for the race: \(error)")
    }
  }
}

/// A file or block device of known content, open for direct I/O: the race schedule's target.
///
/// The first half is read, the second half is written, so that a write never changes what a
/// later read must find. Behind them is a page of 0xff.
final class ScratchFile: Target, @unchecked Sendable {  // immutable after init, but for close
  /// The longest I/O of a race, in bytes.
  static let longestTransfer = 1 << 20

  let name: String
  let path: IOPath
  private var fault: FaultHold?
  private let layers: Layers

  /// Made when it is first asked for, if nothing below holds: a race has no use for it, and it may not be allowed here.
  var hold: (any Hold)? { layers.hold ?? fault }

  /// What is known of what lies below.
  struct Layers {
    /// The path; nil for what the file system tells.
    var path: IOPath?
    /// What holds I/O there.
    var hold: SuspendHold?
    /// The paths of the disks that are copies of each other.
    var copies: [String] = []
  }

  let alignment: Int
  private(set) var descriptor: CInt
  /// What is written; another file of the same folder where what is read may have no checksums.
  private var written: CInt
  private var opened: CInt = -1

  var buffered: CInt? { opened >= 0 ? opened : nil }

  private let pattern: Pattern
  /// Bytes of each half.
  private let half: Int

  /// Opens the target and writes the pattern to it.
  /// - Parameters:
  ///   - path: a folder (gets an unnamed file), a new file (its name is gone once it is open), or, with
  ///     `overwrite`, an existing file or block device, whose content is lost.
  ///   - length: the longest I/O, in bytes.
  /// - Throws: TargetError, which names the path and the remedy.
  init(
    path: String, overwrite: Bool, length: Int, pattern: Pattern, _ layers: Layers = Layers()
  ) throws(TargetError) {
    name = path
    self.layers = layers
    self.pattern = pattern
    half = (length + Self.lead) * Self.places
    var about = stat()
    let exists = stat(path, &about) == 0
    if !exists && errno != ENOENT && errno != ENOTDIR { throw .unusable(path, .last("stat")) }
    descriptor = try Self.open(path, mode: exists ? about.st_mode : nil, overwrite: overwrite)
    written = descriptor
    if !exists { unlink(path) }  // the descriptor is enough, and a killed run leaves no file
    do throws(TargetError) {
      self.path = layers.path ?? Self.ioPath(of: descriptor)
      // btrfs compares what a direct read brought with its checksum, in the buffer itself: a store to the
      // buffer meanwhile, as the race's, would be an I/O error. What is written keeps them, as files have them.
      if self.path == .btrfs {
        if about.st_mode & S_IFMT == S_IFDIR {
          written = try Self.open(path, mode: about.st_mode, overwrite: overwrite)
        }
        _ = ck_no_checksums(descriptor)
      }
      alignment = try Self.directAlignment(of: descriptor, path)
      for file in Set([descriptor, written]) {
        try Self.write(pattern, to: file, bytes: 2 * half, path)
      }
      try Self.writeOnes(to: descriptor, at: 2 * half, path)
      try Self.requireDirect(descriptor, path)
      opened = Glibc.open("/proc/self/fd/\(descriptor)", O_RDONLY | O_CLOEXEC)
      if opened < 0 { throw TargetError.unusable(path, .last("open once more")) }
    } catch {
      for file in Set([descriptor, written, opened]) where file >= 0 { Glibc.close(file) }
      throw error
    }
  }

  func prepareHold() throws(TargetError) {
    if hold != nil { return }
    if path == .btrfs {
      throw .missing("\(name) is on btrfs, which lets go of pages at a fault: nothing holds its I/O; race it")
    }
    if let missing = Need.userfaultfd.missing() { throw .missing(missing) }
    do throws(KernelError) {
      fault = try FaultHold(length: max(alignment, Pattern.blockSize))
    } catch {
      throw .missing("no hold by fault: \(error)")
    }
  }

  func close() {
    fault?.end()
    fault = nil
    for file in Set([descriptor, written, opened]) where file >= 0 { Glibc.close(file) }
    (descriptor, written, opened) = (-1, -1, -1)
  }

  // MARK: Target

  func place(trial: Int, length: Int, _ direction: Direction) -> (offset: Int64, content: Stamp) {
    let unit = max(alignment, Pattern.blockSize)
    let place = min(trial % Self.places * (half / Self.places), half - Self.lead - length)
    let offset = max(0, place) / unit * unit + Self.lead + (direction == .read ? 0 : half)
    return (Int64(offset), Stamp(.file, generation: 0, block: offset / Pattern.blockSize))
  }

  var onesOffset: Int64? { Int64(2 * half) }

  func readBack(
    offset: Int64, into buffer: UnsafeMutableRawPointer, length: Int
  ) throws(KernelError) {
    let count = pread(file(at: offset), buffer, length, off_t(offset))
    if count < 0 { throw .last("read back \(length) bytes of \(name)") }
    if count < length { throw KernelError("read back \(length) bytes of \(name)", Errno(rawValue: ENODATA)) }
  }

  func openOnIOThread() throws(KernelError) { layers.hold?.belongsToThisThread() }

  func copies(offset: Int64, length: Int) throws(KernelError) -> [[UInt8]] {
    var copies: [[UInt8]] = []
    let space = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: kernelPageSize)
    defer { space.deallocate() }
    for path in layers.copies {
      let disk = Glibc.open(path, O_RDONLY | O_CLOEXEC | ck_o_direct())
      if disk < 0 { throw .last("open \(path)") }
      let count = pread(disk, space, length, off_t(offset))
      let error = KernelError.last("read \(path)")
      Glibc.close(disk)
      if count != length { throw error }
      copies.append(Array(UnsafeRawBufferPointer(start: space, count: length)))
    }
    return copies
  }

  func descriptor(for direction: Direction) -> CInt { direction == .read ? descriptor : written }

  private func file(at offset: Int64) -> CInt { offset < half ? descriptor : written }

  func dropCache() {
    for file in Set([descriptor, written]) {
      fsync(file)
      posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
    }
  }

  func isCached(offset: Int64, length: Int) -> Bool {
    let start = Int(offset) / kernelPageSize * kernelPageSize
    let end = (Int(offset) + length + kernelPageSize - 1) / kernelPageSize * kernelPageSize
    return Self.isCached(file(at: offset), start..<end) == true
  }

  /// Whether any page of the range is in the page cache (mincore(2)); nil when that can't be seen.
  private static func isCached(_ descriptor: CInt, _ range: Range<Int>) -> Bool? {
    let view = mmap(nil, range.count, PROT_READ, MAP_SHARED, descriptor, off_t(range.lowerBound))
    guard let view, view != MAP_FAILED else { return nil }
    defer { munmap(view, range.count) }
    var resident = [UInt8](repeating: 0, count: range.count / kernelPageSize)
    guard mincore(view, range.count, &resident) == 0 else { return nil }
    return resident.contains { $0 & 1 == 1 }
  }

  static let c = CTarget(
    includes: ["linux/userfaultfd.h", "poll.h", "sys/ioctl.h"], holdsByFault: true)

  // MARK: Opening

  /// Different contents that successive trials see.
  private static let places = 8
  /// Bytes before each, for what a hold puts before a trial's I/O: a multiple of all alignments.
  private static let lead = 65536

  private static func open(_ path: String, mode: mode_t?, overwrite: Bool) throws(TargetError) -> CInt {
    let direct = O_RDWR | O_CLOEXEC | ck_o_direct()
    let descriptor: CInt
    switch mode.map({ $0 & S_IFMT }) {
    case nil: descriptor = Glibc.open(path, direct | O_CREAT | O_EXCL, 0o600)
    case S_IFDIR: descriptor = Glibc.open(path, direct | ck_o_tmpfile(), 0o600)
    case S_IFREG, S_IFBLK:
      guard overwrite else { throw .wouldOverwrite(path) }
      // O_EXCL on a block device: refuse one that is mounted.
      let exclusive = mode.map { $0 & S_IFMT } == S_IFBLK ? O_EXCL : 0
      descriptor = Glibc.open(path, direct | exclusive)
    default: throw .wrongType(path)
    }
    if descriptor < 0 {
      let error = KernelError.last("open")
      if mode == nil && error.errno == .invalidArgument { unlink(path) }  // O_CREAT came first
      throw error.errno == .invalidArgument || error.errno == .notSupported
        ? .noDirectIO(path) : .unusable(path, error)
    }
    return descriptor
  }

  /// What takes the pages, by the file system's magic number (linux/magic.h).
  private static func ioPath(of descriptor: CInt) -> IOPath {
    switch ck_file_system(descriptor) {
    case 0x6969: .nfs
    case 0xff53_4d42, 0xfe53_4d42, 0x517b: .cifs
    case 0x00c3_6400: .ceph
    case 0x0102_1997: .p9
    case 0x6573_5546: .fuse
    case 0x794c_7630: .overlay
    case 0x9123_683e: .btrfs
    default: .block
    }
  }

  private static func directAlignment(of descriptor: CInt, _ path: String) throws(TargetError) -> Int {
    var memory: UInt32 = 0
    var offset: UInt32 = 0
    if ck_direct_alignment(descriptor, &memory, &offset) == 0 {
      if offset == 0 { throw .noDirectIO(path) }
      return Int(max(memory, offset))
    }
    if ck_block_device_sector(descriptor, &offset) == 0 { return Int(offset) }
    // Before 6.1 nobody tells, nor does btrfs: try what is usual. What is less than the file system can do
    // directly is refused, or goes through the page cache (btrfs).
    let probe = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 4096)
    defer { probe.deallocate() }
    if ftruncate(descriptor, 4096) == 0, pread(descriptor, probe, 512, 0) == 512,
      isCached(descriptor, 0..<kernelPageSize) != true
    {
      return 512
    }
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
    return 4096
  }

  private static func write(
    _ pattern: Pattern, to descriptor: CInt, bytes: Int, _ path: String
  ) throws(TargetError) {
    var room: UInt64 = 0
    let needed = bytes + onesLength
    if ck_block_device_bytes(descriptor, &room) == 0, room < UInt64(needed) {
      throw .tooSmall(path, bytes: Int(room), needed: needed)
    }
    let chunk = 1 << 20
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: chunk, alignment: kernelPageSize)
    defer { buffer.deallocate() }
    for offset in stride(from: 0, to: bytes, by: chunk) {
      let length = min(chunk, bytes - offset)
      pattern.fill(buffer, 0..<length, with: Stamp(.file, generation: 0, block: offset / Pattern.blockSize))
      let count = pwrite(descriptor, buffer, length, off_t(offset))
      if count == length { continue }
      let error = count < 0 ? KernelError.last("write") : KernelError("write", .noSpace)
      throw error.errno == .noSpace ? .full(path, needed: bytes) : .unusable(path, error)
    }
  }

  private static let onesLength = 4096

  private static func writeOnes(to descriptor: CInt, at offset: Int, _ path: String) throws(TargetError) {
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: onesLength, alignment: kernelPageSize)
    defer { buffer.deallocate() }
    memset(buffer, 0xff, onesLength)
    if pwrite(descriptor, buffer, onesLength, off_t(offset)) != onesLength {
      throw .unusable(path, .last("write"))
    }
  }

  /// Some file systems accept O_DIRECT and go through the page cache all the same (tmpfs since 6.6):
  /// after a direct read of a dropped range, nothing of it may be cached.
  private static func requireDirect(_ descriptor: CInt, _ path: String) throws(TargetError) {
    var about = stat()
    guard fstat(descriptor, &about) == 0, about.st_mode & S_IFMT == S_IFREG else { return }
    let length = 4096
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: kernelPageSize)
    defer { buffer.deallocate() }
    fsync(descriptor)
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
    let count = pread(descriptor, buffer, length, 0)
    if count != length { throw .unusable(path, .last("read")) }
    if isCached(descriptor, 0..<kernelPageSize) == true { throw .noDirectIO(path) }
  }
}
