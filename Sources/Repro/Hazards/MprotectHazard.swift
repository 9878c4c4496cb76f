import Glibc

/// mprotect(2) to read-only and back: the page stays write-protected, and the next store decides
/// whether it may be reused.
/// See ``drawing``.
/// Broken by 09854ba94c6a (5.8 to 5.9: a reference count above 1 means copy), mended by
/// 6c287605fd56 (5.19: PG_anon_exclusive).
final class MprotectHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard / store
    read(fd, buf) ------------->  takes P1 behind buf
                                                            mprotect(buf, PROT_READ)
                                                            mprotect(buf, PROT_READ | PROT_WRITE)
                                                            store to buf: write fault; P1 has an
                                                            extra reference: copied, buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static let cFragment = CFragment(
    includes: ["sys/resource.h"], uses: [CFragment.storeFaults],
    act: """
      if (mprotect(buf, page_size, PROT_READ) < 0 ||
          mprotect(buf, page_size, PROT_READ | PROT_WRITE) < 0)
        END(ERROR, "mprotect: %m");
      return store_faults();
      """,
    unasked: "mprotect to read-only and back returned, \(CFragment.noFault)")

  /// The same, then fork.
  static let cThenFork: CFragment = {
    var fragment = ForkHazard.cFragment(.exits)
    fragment.act = """
      if (mprotect(buf, page_size, PROT_READ) < 0 ||
          mprotect(buf, page_size, PROT_READ | PROT_WRITE) < 0)
        END(ERROR, "mprotect: %m");

      \(fragment.act)
      """
    return fragment
  }()

  /// Whether the page is write-protected is not visible; the store that follows tells by its fault. From
  /// about 6.1 on an exclusive page gets its write permission back at once (can_change_pte_writable; huge
  /// ones a release later), no fault comes, and nothing was asked.
  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    for run in pages.runs {
      if mprotect(run.start, run.length, PROT_READ) != 0 { throw .last("mprotect PROT_READ") }
      if mprotect(run.start, run.length, PROT_READ | PROT_WRITE) != 0 {
        throw .last("mprotect PROT_READ | PROT_WRITE")
      }
    }
    return [.applied("mprotect to read-only and back returned")]
  }
}
