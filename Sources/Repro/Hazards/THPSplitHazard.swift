import Glibc

/// A huge page's mapping is split: its neighbour is given up, and page tables map what is left.
/// See ``drawing``.
/// __split_huge_pmd gives each base page its own entry; none may be lost, copied or write-protected on the
/// way. That the huge page itself is not split while somebody has it is what `cold` and `pageout` ask on it.
final class THPSplitHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard / store
    read(fd, buf) ------------->  takes P1 behind buf, a
                                  part of a huge page
                                                            madvise(next page, MADV_DONTNEED): page
                                                            tables map the rest, P1 at buf
                                                            store to buf: no fault. Were P1 shared
                                                            or read-only now: copied, buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  /// `is_huge` is the memory's.
  static let cFragment = CFragment(
    act: """
      if (madvise(buf + page_size, page_size, MADV_DONTNEED) < 0)
        END(ERROR, "MADV_DONTNEED: %m");
      return !is_huge();
      """)

  static let guards = [keeps]
  private static let keeps = Guard(
    "split-keeps-frames", "page tables map the huge page now, and the store found the same frame")

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    for address in pages.addresses {
      try advise(MADV_DONTNEED, "MADV_DONTNEED", address + pages.size, pages.size)
    }
    let bytes = try AddressMap.bytes(mappedByPMD: pages.memory.base, pages.memory.length)
    return [
      bytes == 0
        ? .applied("smaps: page tables map the huge page")
        : .noEffect("PMDs still map \(bytes) bytes")
    ]
  }

  func asked(_ page: Observation, _ number: Int) -> Guard? { page.keptFrame == true ? Self.keeps : nil }
}
