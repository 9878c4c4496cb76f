import CKernel
import Glibc

/// MADV_FREE, then reclaim: the kernel may drop the page until it is written to again, and what the I/O
/// writes is such a write. So reclaim must leave the page while the I/O has it.
/// See ``drawing``.
/// A page that MADV_FREE named *before* the I/O was dropped during it from 4.5 to 5.18 (6c8e2a256915): that is
/// `pageout` on the memory `lazyfree`.
///
/// Why it is not raced: on 6.18, with the obstacle taken away, 300 trials on each engine and memory, all of 1602 losses
/// were zeros by right. In 908 only the bytes beside the read's were gone, and its data was there: the page was
/// dropped before the read took it. In 694 the data was gone too: all but 16 of those hazards ended after the call, and
/// the five looked at of these 12 to 40 microseconds before its end. A buffer that stays pinned (io_uring-fixed) lost
/// nothing in 152 exposures.
final class MadvFreeHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard / store
    read(fd, buf) ------------->  takes P1 behind buf
                                                            madvise(buf, MADV_FREE): P1 is clean, and
                                                            may be dropped
                                                            madvise(buf, MADV_PAGEOUT): must see the
                                                            extra reference; else P1 is dropped
                                                            store to buf: buf is P2, new and zeros
                                  I/O completes into P1
    verify: zeros: LOST
    """

  static let cFragment = CFragment(
    act: """
      if (madvise(buf, page_size, MADV_FREE) < 0 || madvise(buf, page_size, MADV_PAGEOUT) < 0)
        END(ERROR, "MADV_FREE, MADV_PAGEOUT: %m");
      return !(pagemap(buf) >> 63); /* dropped */
      """,
    canBeRefused: true)

  static let guards = [leaves]
  private static let leaves = Guard(
    "lazyfree-leaves-referenced",
    "reclaim left the page that MADV_FREE gave up while the I/O had it, and dropped it afterwards")
  let refusal: Guard? = leaves
  /// A store makes the page the caller's again.
  let toleratesStores = false

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    for run in pages.runs {
      try advise(MADV_FREE, "MADV_FREE", run.start, run.length)
      try advise(CInt(CK_MADV_PAGEOUT), "MADV_PAGEOUT", run.start, run.length)
    }
    return try pages.entries().map { entry in
      entry.isPresent
        ? .refused("MADV_FREE and MADV_PAGEOUT left the page mapped")
        : .applied("pagemap: the page is gone")
    }
  }

  /// A page that was dropped under I/O was not guarded.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }
}
