import Glibc
import SystemPackage

/// A direct read of a range that is being written directly.
/// See ``drawing``.
/// Nothing orders the two, so that the read may see what stood there before or what is written. A disk takes whole
/// sectors, so that is said of each sector as a whole: 512 bytes that are all of the one or all of the other are right,
/// also beside a sector that is otherwise. Anything else is damage: a sector with some of both, zeros, another place's
/// data, an error.
/// How much of it a path keeps is its own: file systems let both go, or the read wait (xfs where a write takes no whole
/// blocks, btrfs by its locks of extents); disks that are made of a page cache (loop) copy both ways with no lock.
final class ReadUnderWriteHazard: Hazard, @unchecked Sendable {  // the trial's thread alone uses it
  static let drawing = """
    writer                        kernel                    reader
    write(F, O_DIRECT, buf) --->  takes P1 behind buf
                                                            read(F, O_DIRECT) of the same range
                                  P1 to the disk, and the   <---
                                  disk to the reader's page
    <---------------------------
    the reader's page: a sector is neither old nor new: TORN, ZEROED, FOREIGN; or an error: UNREADABLE
    """

  static let guards = [passes, waits]
  private static let passes = Guard(
    "read-passes-write",
    "a direct read of the range was done while the write was in flight, and each sector was old or new")
  private static let waits = Guard(
    "read-waits-for-write",
    "a direct read of the range was issued while the write was in flight and came back after it, and each sector was "
      + "old or new")

  /// A read that is not back by then waits for the write: the write is held, and a disk takes less.
  private static let time = Clock.milliseconds(50)

  /// Reads of one trial: where, and to where.
  private struct Job: Sendable {
    let descriptor: CInt
    let offsets: [Int64]
    let size: Int
  }

  private struct Answer: Sendable {
    var started: Nanoseconds
    /// What each read ended with, if not with all of its bytes.
    var failures: [KernelError?]
  }

  /// Reads where a write that is held may keep it waiting.
  private let reader: Worker<Job, Answer>
  /// What the reads brought, a page each.
  private let seen: AddressRange
  /// What stood there before the write, a page each.
  private let before: AddressRange
  private var acted: Nanoseconds = 0
  private var isBack = false
  private var answer: Answer?

  init(depth: Int) throws(KernelError) {
    let seen = try AddressRange(length: depth * kernelPageSize)
    self.seen = seen
    before = try AddressRange(length: depth * kernelPageSize)
    reader = try Worker(begin: { () throws(KernelError) in seen }, work: Self.read)
  }

  deinit { reader.stop() }  // a thread that is still at a read has `seen` until then

  private static func read(_ job: Job, _ space: AddressRange) -> Answer {
    let started = Clock.now
    let failures = job.offsets.enumerated().map { page, offset -> KernelError? in
      let count = pread(job.descriptor, space.base + page * job.size, job.size, off_t(offset))
      if count < 0 { return .last("read the range under the write") }
      return count == job.size ? nil : KernelError("read the range under the write", Errno(rawValue: ENODATA))
    }
    return Answer(started: started, failures: failures)
  }

  private static func job(_ pages: PagesUnderIO) -> Job {
    Job(
      descriptor: pages.transfer.descriptor, offsets: (0..<pages.count).map { Int64(pages.place($0)) },
      size: pages.size)
  }

  func prepare(_ pages: PagesUnderIO) throws(KernelError) {
    try AddressRange.map(before.base, before.length, MAP_PRIVATE | MAP_ANONYMOUS)
    let answer = Self.read(Self.job(pages), before)
    for case let failure? in answer.failures { throw failure }
  }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    if !reader.isIdle { throw KernelError("a read of an earlier trial", .timedOut) }
    try AddressRange.map(seen.base, seen.length, MAP_PRIVATE | MAP_ANONYMOUS)
    let job = Self.job(pages)
    answer = nil
    if pages.schedule == .staged {
      reader.start(job)
      answer = reader.finish(timeout: Self.time)
    } else {
      answer = Self.read(job, seen)
    }
    isBack = answer != nil
    acted = Clock.now
    return [.applied(isBack ? "a direct read of the range is back" : "a direct read of the range waits")]
  }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    if answer == nil { answer = reader.finish(timeout: pages.patience) }
    guard let answer else { throw KernelError("wait for the read of the range", .timedOut) }
    return answer.failures.enumerated().map { page, failure in
      View(
        page: page, copy: seen.base + page * pages.size, region: .reader, content: .either, failure: failure,
        before: before.base + page * pages.size)
    }
  }

  var viewsHoldInRaces: Bool { true }
  /// A disk that is asked one after the other has the write first.
  var mayOutlastIO: Bool { true }

  func asked(_ page: Observation, _ number: Int) -> Guard? {
    guard let answer, answer.started <= acted else { return nil }
    return isBack ? Self.passes : Self.waits
  }
}
