import CKernel
import Glibc

/// No hazard, and a late look: once the I/O is over the page goes to swap and comes back. Data that the I/O
/// wrote without the page being marked dirty is gone then.
/// See ``drawing``.
final class LateLookHazard: Hazard, @unchecked Sendable {  // the trial's thread alone uses it
  static let drawing = """
    reader                        kernel                    late look
    read(fd, buf) ------------->  takes P1 behind buf
                                  I/O completes into P1,
                                  must mark it dirty
    verify: the data is there
                                                            madvise(buf, MADV_PAGEOUT): P1 written
                                                            to swap if it is dirty, else dropped
                                                            load from buf: read back from swap
    verify: old bytes: LOST AFTER SWAP
    """

  static let cFragment: CFragment = {
    let trip = PageoutHazard.cFragment
    return CFragment(
      uses: trip.uses, globals: CFragment.function("page_out", trip.act),
      setUp: trip.setUp,
      act: """
        return false; /* nothing, while the read is held */
        """,
      settle: """
        exposed = page_out(); /* a dirty bit lost with the read shows now */
        """)
  }()

  static let guards: [Guard] = [.ioMarksDirty]
  let lossOnSecondLook: Damage.Kind? = .lostAfterSwap
  private var settled: [HazardOutcome] = []
  private let trip = PageoutHazard()

  func act(_ pages: PagesUnderIO) -> [HazardOutcome] { [.applied("nothing was done while the I/O was held")] }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    _ = try trip.settle(pages)
    settled = try trip.actWithoutIO(pages)
    return []
  }

  func asked(_ page: Observation, _ number: Int) -> Guard? {
    settled.of(number)?.isApplied == true ? .ioMarksDirty : nil
  }
}
