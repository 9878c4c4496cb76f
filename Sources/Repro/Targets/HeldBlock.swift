import CKernel
import Glibc
import SystemPackage

/// A block device whose I/O stays in flight until released: a loop device over a ``HeldFile``.
/// ```
///  reader                  block layer                  loop worker             held file
///  read(/dev/loopN) ---->  takes buf's page, bio ---->  read(held file) ----->  held
/// ```
/// The pages of the reader's buffer are taken by the block layer (bio_iov_iter_get_pages), which got
/// safe against fork in another release than FUSE. The device detaches itself at its last close, so a
/// killed process leaves none.
final class HeldBlock: HoldingTarget, @unchecked Sendable {  // mutable state is in `file`
  let name = "held-block"
  let path = IOPath.block
  let alignment = 512
  private(set) var descriptor: CInt = -1

  private let file: HeldFile

  /// Makes the held file.
  /// - Throws: KernelError of the step that failed, or when loop devices can't be made.
  init(pattern: Pattern) throws(KernelError) {
    if access("/dev/loop-control", R_OK | W_OK) < 0 { throw .last("loop device: open /dev/loop-control") }
    file = try HeldFile(pattern: pattern)
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
    let device = ck_loop_open(file.descriptor, &step)
    Glibc.close(file.descriptor)
    descriptor = try check(device, step.map { String(cString: $0) } ?? "loop device")
  }

  func arm(_ transfer: Transfer, _ timeline: Timeline) { file.arm(transfer, timeline) }
  func awaitHeld(timeout: Nanoseconds) -> Bool { file.awaitHeld(timeout: timeout) }
  func release() throws(KernelError) { try file.release() }
  func abort() { file.abort() }
}

/// The holding targets by name.
public enum HeldKind: String, Sendable, Codable, CaseIterable {
  /// A file of an in-process FUSE server.
  case file = "held"
  /// A loop device over such a file.
  case block = "held-block"

  var path: IOPath { self == .file ? .fuse : .block }

  func make(_ pattern: Pattern) throws(KernelError) -> any HoldingTarget {
    switch self {
    case .file: try HeldFile(pattern: pattern)
    case .block: try HeldBlock(pattern: pattern)
    }
  }

  /// What to do about an error of ``make(_:)``.
  func remedy(_ error: KernelError) -> String {
    if error.call.hasPrefix("loop device") {
      return "no held block device: \(error); run as root, with CONFIG_BLK_DEV_LOOP or the module loop"
    }
    return HeldFile.remedy(error)
  }
}
