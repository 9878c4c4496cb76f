import CKernel
import Glibc
import SystemPackage

/// Writeback of a buffer that is mapped from a file, while a direct read fills it: the page is written as it was and
/// is clean, reclaim may have the file system let go of what it keeps with a page, and then the read completes into it.
/// See ``drawing``.
/// The kernel marks the page dirty again, without asking the file system first. Up to 6.4 the page was only
/// referenced, which stops nobody from taking the file system's private data; since a7e689dd1c06 (6.5) it is pinned,
/// and d824ec2a1546 (6.4) has reclaim leave the private data of pinned pages. btrfs had a worker that caught such pages
/// (its cow fixup); without it, 6.12.97 and later of that series find a dirty page that nobody reserved space for, and
/// fsync says EUCLEAN.
final class MappedBufferHazard: Hazard, @unchecked Sendable {  // the trial's thread alone uses it
  static let drawing = """
    reader                        kernel                    hazard
    read(fd, buf) ------------->  takes P1, a page of file
                                  F's page cache: dirty
                                                            fsync(F): P1 written as it is, and clean
                                                            perhaps madvise(buf, MADV_PAGEOUT): P1's
                                                            private data (buffer heads) taken
                                  I/O completes into P1,
                                  which is marked dirty
                                  behind F's back
                                                            fsync(F): 0, or EUCLEAN; P1 not written
    verify: buf has the data
    read(F, O_DIRECT): old bytes: LOST ON DISK
    """

  static let guards = [remarks]
  private static let remarks = Guard(
    "completion-dirties-again",
    "the page was clean while the I/O had it, and the data was on the disk after the next fsync")

  /// Which pages were clean while the I/O had them.
  private var cleaned: [Bool] = []
  /// What stands on the disk, a page each.
  private let disk: AddressRange

  /// Whether reclaim comes after writeback.
  private let reclaims: Bool

  init(depth: Int, reclaims: Bool) throws(KernelError) {
    disk = try AddressRange(length: depth * kernelPageSize)
    self.reclaims = reclaims
  }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    guard let file = pages.memory.backing else { throw KernelError("fsync the buffer", .badFileDescriptor) }
    let frames = try pages.entries().map(\.frame)
    if fsync(file.descriptor) != 0 { throw .last("fsync the buffer's file") }
    for run in pages.runs where reclaims {
      try advise(CInt(CK_MADV_PAGEOUT), "MADV_PAGEOUT", run.start, run.length)
    }
    cleaned = frames.map { $0.flatMap(PageFlags.of)?.isDirty == false }
    return cleaned.map {
      $0
        ? .applied("fsync wrote the page, and kpageflags say that it is clean")
        : .noEffect("after fsync kpageflags do not say that the page is clean")
    }
  }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    guard let file = pages.memory.backing else { return [] }
    try AddressRange.map(disk.base, disk.length, MAP_PRIVATE | MAP_ANONYMOUS)
    try sync(file, pages)
    return pages.addresses.enumerated().map { page, address in
      let place = disk.base + page * kernelPageSize
      let count = pread(file.direct, place, pages.size, file.offset(of: address))
      let failure = count == pages.size ? nil : KernelError.last("read the buffer's file past the page cache")
      return View(page: page, copy: place, region: .disk, content: .data, failure: failure)
    }
  }

  /// Writes the file until no page of the buffer is dirty, but not for ever. Its answer is only told: what counts is
  /// what the disk has. A page that is dirty still is late and not lost: btrfs' cow fixup leaves it so behind an fsync
  /// that returns 0, for a worker (5.10, 6.1).
  private func sync(_ file: BackingFile, _ pages: PagesUnderIO) throws(KernelError) {
    for attempt in 1...Self.syncs {
      let failure = fsync(file.descriptor) == 0 ? nil : KernelError.last("fsync the buffer's file")
      pages.timeline.mark(.hazard, failure.map { "\($0)" } ?? "fsync returned 0")
      let isDirty = try pages.entries().contains { $0.frame.flatMap(PageFlags.of)?.isDirty == true }
      guard isDirty, attempt < Self.syncs else { return }
      pages.timeline.mark(.hazard, "kpageflags say that the page is dirty still")
      usleep(Self.pause)
    }
  }

  /// Attempts to write the file, and microseconds between two.
  private static let syncs = 50
  private static let pause: UInt32 = 5000

  func asked(_ page: Observation, _ number: Int) -> Guard? {
    number < cleaned.count && cleaned[number] ? Self.remarks : nil
  }
}
