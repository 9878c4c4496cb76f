import CKernel
import Glibc
import Synchronization
import SystemPackage

extension Need {
  /// userfaultfd, with the right to hear of the kernel's own faults.
  static let userfaultfd = Need("userfaultfd") {
    let descriptor = ck_uffd_open()
    if descriptor >= 0 {
      close(descriptor)
      return nil
    }
    return switch -descriptor {
    case ENOSYS: "the kernel has no userfaultfd: build it with CONFIG_USERFAULTFD=y"
    case EPERM:
      "userfaultfd is not allowed here: run as root, set vm.unprivileged_userfaultfd=1, or open up /dev/userfaultfd"
    default: "userfaultfd: \(Errno(rawValue: -descriptor))"
    }
  }
}

/// Holds direct I/O on any path, with no server: the I/O's last page is missing, and its fault waits.
/// ```
///  reader                        kernel                                    hazard / toucher
///  preadv(fd, [buf, trap]) --->  takes P1 behind buf
///                                takes the page behind trap: missing,
///                                sleeps in the fault, mmap_lock dropped
///                                                                          hazard, store: P1 may be
///                                                                          replaced behind buf
///                                UFFDIO_COPY: goes on, issues the I/O
///                                I/O completes into P1
///  <---------------------------
/// ```
/// It holds the stage in which the kernel takes pages, not the device's. Where a file system lets the pages
/// that it has go at the fault (btrfs takes them with faults disabled) or falls back to buffered I/O, the
/// buffer is filled by the time the fault is heard of, and the trial does not count.
final class FaultHold: Hold, @unchecked Sendable {  // the trial's thread alone uses it
  private let uffd: CInt
  /// The page that is missing.
  private let trap: AddressRange
  /// What it is filled with.
  private let filling: AddressRange
  /// Bytes of the I/O that go to the trap.
  private let length: Int
  private var timeline: Timeline?
  private var isArmed = false

  /// - Parameter length: bytes that the I/O's last segment has; what the target wants multiples of.
  init(length: Int) throws(KernelError) {
    self.length = length
    trap = try AddressRange(length: kernelPageSize)
    filling = try AddressRange(length: kernelPageSize)
    for page in [trap, filling] {
      try AddressRange.map(page.base, page.length, MAP_PRIVATE | MAP_ANONYMOUS)
      _ = madvise(page.base, page.length, MADV_NOHUGEPAGE)
    }
    ck_store64(filling.base, 0)  // copied from while the address space is locked for others: must be there
    uffd = try check(ck_uffd_open(), "userfaultfd")
    do throws(KernelError) {
      try check(ck_uffd_register(uffd, trap.base, trap.length), "UFFDIO_REGISTER")
    } catch {
      close(uffd)
      throw error
    }
  }

  /// Lets go whoever waits: closing the descriptor would too, but with the fault's old behaviour.
  func end() {
    abort()
    close(uffd)
  }

  /// Direct I/O sleeps in the fault of its last page with the others taken; a buffered one copies in order, so that
  /// the missing page comes first, and takes what stands before the trial's place.
  func extend(_ transfer: Transfer, isBuffered: Bool) -> Transfer {
    var transfer = transfer
    let segment = Segment(memory: trap.base, length: length)
    if isBuffered {
      transfer.segments.insert(segment, at: 0)
      transfer.offset -= Int64(length)
    } else {
      transfer.segments.append(segment)
    }
    return transfer
  }

  func arm(_ transfer: Transfer, _ timeline: Timeline) {
    self.timeline = timeline
    // Missing again: what the last trial's I/O wrote there goes.
    isArmed = madvise(trap.base, trap.length, MADV_DONTNEED) == 0
  }

  func arrived(timeout: Nanoseconds) -> Bool {
    guard isArmed, ck_uffd_wait(uffd, trap.base, trap.length, CInt(max(1, timeout / 1_000_000))) == 1 else {
      return false
    }
    timeline?.mark(.target, "the kernel waits for the last page: the others are taken, held")
    return true
  }

  func release() throws(KernelError) {
    if !isArmed { return }
    isArmed = false
    timeline?.mark(.target, "the last page is there: the I/O goes on")
    try check(ck_uffd_fill(uffd, trap.base, filling.base, trap.length), "UFFDIO_COPY")
  }

  func abort() { try? release() }
}
