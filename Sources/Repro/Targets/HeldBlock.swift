import CKernel
import Glibc
import SystemPackage

extension TargetKind {
  /// A loop device over a held file.
  public static let heldBlock = TargetKind(
    "held-block", "a loop device over the held file: the block layer's path", needs: [.loopDevices],
    schedules: [.staged],
    path: .block, arrivesWhole: false, leavesUnread: true, c: HeldBlock.c(blockSize: 512)
  ) { _, pattern throws(TargetError) in
    try HeldBlock("held-block", blockSize: 512, pattern: pattern)
  }
}

extension Need {
  /// Loop devices, and the right to make some.
  package static let loopDevices = Need("loop devices") {
    access("/dev/loop-control", R_OK | W_OK) == 0
      ? nil
      : "no held block device: /dev/loop-control: \(Errno(rawValue: errno)); run as root, with "
        + "CONFIG_BLK_DEV_LOOP or the module loop"
  }
}

/// A block device whose I/O stays in flight until released: a loop device over a ``HeldFile``.
/// ```
///  reader                  block layer                  loop worker             held file
///  read(/dev/loopN) ---->  takes buf's page, bio ---->  read(held file) ----->  held
/// ```
/// The pages of the reader's buffer are taken by the block layer (bio_iov_iter_get_pages), which got
/// safe against fork in another release than FUSE. The device detaches itself at its last close, so a
/// killed process leaves none.
final class HeldBlock: Target, @unchecked Sendable {  // `descriptor` is the I/O thread's
  let name: String
  let path = IOPath.block
  let alignment: Int
  private(set) var descriptor: CInt = -1

  private let file: HeldFile
  private var device = ""

  var hold: (any Hold)? { file.hold }

  /// Makes the held file. The loop device takes all pages of an I/O into its bio before its worker asks
  /// the file for any.
  /// - Parameter blockSize: of the device, in bytes.
  /// - Throws: TargetError.missing, with the step that failed.
  init(_ name: String, blockSize: Int, pattern: Pattern) throws(TargetError) {
    self.name = name
    alignment = blockSize
    do throws(KernelError) {
      file = try HeldFile(pattern: pattern, .first)
    } catch {
      throw .missing(HeldFile.remedy(error))
    }
  }

  func close() { file.close() }

  // MARK: Target

  func place(trial: Int, length: Int, _ direction: Direction) -> (offset: Int64, content: Stamp) {
    file.place(trial: trial, length: length, direction)
  }

  func readBack(
    offset: Int64, into buffer: UnsafeMutableRawPointer, length: Int
  ) throws(KernelError) {
    try file.readBack(offset: offset, into: buffer, length: length)
  }

  // MARK: Holding

  /// Attaches a loop device to the held file, which stays open in the device alone.
  func openOnIOThread() throws(KernelError) {
    try file.openOnIOThread()
    var step: UnsafePointer<CChar>?
    let opened = ck_loop_open(file.descriptor, UInt32(alignment), &step)
    Glibc.close(file.descriptor)
    descriptor = try check(opened, step.map { String(cString: $0) } ?? "loop device")
    var name = [UInt8](repeating: 0, count: 64)
    let count = name.withUnsafeMutableBytes {
      readlink("/proc/thread-self/fd/\(descriptor)", $0.baseAddress!, $0.count)
    }
    if count < 0 { throw .last("read the loop device's name") }
    device = String(decoding: name[..<count], as: UTF8.self)
  }

  func openAgain() throws(KernelError) -> CInt {
    file.leaveServer()
    let again = open(device, O_RDWR | O_CLOEXEC | ck_o_direct())
    if again < 0 { throw .last("open \(device)") }
    return again
  }

  static func c(blockSize: Int) -> CTarget {
    CTarget(
      includes: ["linux/loop.h", "sys/ioctl.h"],
      open: """
        struct loop_config config = { /* detaches itself at its last close */
          .fd = file, .block_size = \(blockSize), .info = { .lo_flags = LO_FLAGS_AUTOCLEAR } };
        int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), device;
        char path[32];

        do {
          snprintf(path, sizeof(path), "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
          device = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
          if (device < 0)
            END(SKIPPED, "open %s: %m; be root, with CONFIG_BLK_DEV_LOOP", path);
          if (ioctl(device, LOOP_CONFIGURE, &config) == 0 || /* since Linux 5.8 */
              (errno == EINVAL && ioctl(device, LOOP_SET_FD, file) == 0 &&
               ioctl(device, LOOP_SET_BLOCK_SIZE, \(blockSize)) == 0 &&
               ioctl(device, LOOP_SET_STATUS64, &config.info) == 0))
            return device;
        } while (close(device), errno == EBUSY); /* another process took it first */
        END(ERROR, "attach %s: %m", path);
        """)
  }
}
