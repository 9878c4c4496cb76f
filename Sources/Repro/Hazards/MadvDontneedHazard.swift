import Glibc

/// MADV_DONTNEED: the caller gives the page up at once, and with it whatever the I/O brings: zeros are right
/// by definition. What must hold is that the page is nobody else's until the I/O is over, since it goes on
/// writing there.
/// See ``drawing``.
final class MadvDontneedHazard: Hazard, @unchecked Sendable {  // the trial's thread alone uses it
  static let drawing = """
    reader                        kernel                    hazard / others
    read(fd, buf) ------------->  takes P1 behind buf
                                                            madvise(buf, MADV_DONTNEED): P1 is mapped
                                                            nowhere, and must not be free
                                                            others take pages: none may be P1
                                                            store to buf: buf is P2, new and zeros
                                  I/O completes into P1
    verify: zeros and the store at buf; in the others' pages nothing of the I/O: else LEAKED
    """

  static let guards = [keeps]
  private static let keeps = Guard(
    "io-keeps-frame",
    "the page was given up, and \(others) new pages did not get its frame while the I/O had it")
  let givesUp = true
  /// Pages that are taken meanwhile: more than a CPU's list of free pages hands out before it is refilled.
  private static let others = 64
  /// Theirs, which hold the first page's fill.
  private let range: AddressRange
  private var gotFrame = false

  init() throws(KernelError) { range = try AddressRange(length: Self.others * kernelPageSize) }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let frames = Set(try pages.entries().compactMap(\.frame))
    let fill = UnsafeMutableRawPointer.allocate(byteCount: pages.size, alignment: 8)
    defer { fill.deallocate() }
    memcpy(fill, pages.addresses[0], pages.size)
    for run in pages.runs { try advise(MADV_DONTNEED, "MADV_DONTNEED", run.start, run.length) }
    let left = try pages.entries()
    try AddressRange.map(range.base, range.length, MAP_PRIVATE | MAP_ANONYMOUS)
    _ = madvise(range.base, range.length, MADV_NOHUGEPAGE)
    for other in 0..<Self.others { memcpy(range.base + other * kernelPageSize, fill, kernelPageSize) }
    let taken = try pages.pageMap.entries(of: range.base, count: Self.others)
    gotFrame = taken.contains { $0.frame.map(frames.contains) == true }
    return left.map {
      $0.isPresent ? .noEffect("the page is still there") : .applied("pagemap: the page is gone")
    }
  }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    (0..<Self.others).map { View(page: 0, copy: range.base + $0 * kernelPageSize, region: .twin) }
  }

  func asked(_ page: Observation, _ number: Int) -> Guard? {
    gotFrame || page.arrival?.frame == nil ? nil : Self.keeps
  }
}
