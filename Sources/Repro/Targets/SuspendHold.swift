import CKernel
import Glibc

/// Holds I/O where a device would do it: a device-mapper device below is suspended.
/// ```
///  writer                     kernel                        suspended device        hazard / toucher
///  write(fd, O_DIRECT) ---->  takes P1, reads it for its
///                             checksum, or for another disk
///                             submits the bio ------------> waits
///                                                                                   hazard, store
///                                                           resumed: reads P1
///  <------------------------------------------------------
/// ```
/// Unlike a server's hold it keeps writes too, since nobody has read P1 for this disk yet. Where there is another half
/// of a mirror, that its write is over tells that P1 was read; else, that the caller sleeps where no signal wakes it:
/// it waits for the device, which does nothing.
final class SuspendHold: Hold, @unchecked Sendable {  // the trial's thread alone uses it, but for `thread`
  private let device: String
  /// The statistics of the other half of a mirror.
  private let otherHalf: String?
  private var writesBefore = 0
  private var timeline: Timeline?
  private var isSuspended = false
  private var direction = Direction.read
  /// The thread that calls.
  private var thread: pid_t = 0

  init(_ disk: GuestDisk) {
    device = disk.suspended
    let target = try? KernelFile.link(DeviceMapper.path(GuestDisk.leg(disk.name, 1)))
    otherHalf =
      disk.layer == .mirrored
      ? target.map { "/sys/class/block/\($0.split(separator: "/").last ?? "")/stat" } : nil
  }

  /// Called on the thread that is to do the I/O.
  func belongsToThisThread() { thread = ck_thread() }

  func arm(_ transfer: Transfer, _ timeline: Timeline) {
    self.timeline = timeline
    direction = transfer.direction
    writesBefore = writes ?? 0
    isSuspended = (try? DeviceMapper.suspend(device, true)) != nil
  }

  func arrived(timeout: Nanoseconds) -> Bool {
    guard isSuspended else { return false }
    let deadline = Clock.now + timeout
    var waits = 0
    while Clock.now < deadline {
      waits = isWaiting ? waits + 1 : 0
      if waits >= 3 {
        let evidence =
          otherHalf == nil || direction == .read ? "its call sleeps" : "the other half has its copy"
        timeline?.mark(.target, "\(device) is suspended, and \(evidence): held")
        return true
      }
      usleep(1000)
    }
    return false
  }

  /// Whether the I/O can go on only once the device is resumed.
  private var isWaiting: Bool {
    if direction == .write, otherHalf != nil, (writes ?? 0) <= writesBefore { return false }
    let text = try? KernelFile.read("/proc/self/task/\(thread)/stat")
    // The name, in parentheses, may hold anything.
    return text?.split(separator: ")").last?.split(separator: " ").first == "D"
  }

  /// Writes that the other half has done (Documentation/block/stat.rst).
  private var writes: Int? {
    guard let otherHalf, let text = try? KernelFile.read(otherHalf) else { return nil }
    let fields = text.split(separator: " ")
    return fields.count > 4 ? Int(fields[4]) : nil
  }

  func release() throws(KernelError) {
    if !isSuspended { return }
    isSuspended = false
    timeline?.mark(.target, "\(device) goes on")
    try DeviceMapper.suspend(device, false)
  }

  func abort() { try? release() }
}
