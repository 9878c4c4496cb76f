import Glibc

/// MADV_COLLAPSE: base pages are copied into one huge page, which takes their place.
/// See ``drawing``.
/// Since 6.1 (7d8faaf15545). The guard is the reference count that __collapse_huge_page_isolate compares
/// with the mappings; khugepaged asks the same. No release is known to lack it.
final class THPCollapseHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard
    read(fd, buf) ------------->  takes P1 behind buf
                                                            madvise(2 MiB around, MADV_COLLAPSE):
                                                            must see the extra reference and give up
                                                            (EAGAIN); else buf is in a huge page
                                  I/O completes into P1
    verify: buf is not P1: LOST READ
    """

  static let cFragment = CFragment(
    setUp: """
      if (madvise(NULL, 0, 25 /* MADV_COLLAPSE */) < 0)
        END(SKIPPED, "MADV_COLLAPSE: %m; boot Linux 6.1 or later");
      """,
    act: """
      unsigned long long before = pagemap(buf);

      madvise(buf, map_size, MADV_HUGEPAGE);
      madvise(buf, map_size, 25 /* MADV_COLLAPSE */);
      return (pagemap(buf) ^ before) & FRAME;
      """,
    settle: """
      madvise(buf, map_size, MADV_NOHUGEPAGE);
      """,
    canBeRefused: true)

  static let guards = [counts]
  private static let counts = Guard(
    "collapse-counts-references",
    "the page stayed a base page while the I/O had it, and became part of a huge one afterwards")
  let refusal: Guard? = counts
  let replacesFrames = true
  fileprivate static let collapse: CInt = 25  // MADV_COLLAPSE

  func prepare(_ pages: PagesUnderIO) throws(KernelError) {
    try advise(MADV_HUGEPAGE, "MADV_HUGEPAGE", pages.memory.base, pages.memory.length)
  }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let before = try pages.entries()
    var says = "madvise returned 0"
    for page in 0..<pages.count {
      let start = pages.memory.base + page * pages.stride
      if madvise(start, pages.stride, Self.collapse) != 0 { says = "\(KernelError.last("madvise"))" }
    }
    return zip(before, try pages.entries()).map { before, after in
      guard let old = before.frame, let new = after.frame else { return .noEffect("no page was there") }
      if old != new, PageFlags.of(new)?.isTransparentHuge == true {
        return .applied(
          "kpageflags: the page is part of a huge one; frame \(Hex.number(old)) to \(Hex.number(new))")
      }
      return .refused("MADV_COLLAPSE left the frame: \(says)")
    }
  }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    try advise(MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE", pages.memory.base, pages.memory.length)
    return []
  }

  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    try prepare(pages)
    return try act(pages)
  }

  /// A page that was copied under I/O was not guarded.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }
}

extension Need {
  /// MADV_COLLAPSE, of Linux 6.1.
  static let madviseCollapse = Need("MADV_COLLAPSE") {
    // Nothing to collapse in no bytes, but the advice is looked at first.
    madvise(nil, 0, THPCollapseHazard.collapse) == 0
      ? nil : lack("MADV_COLLAPSE", "boot Linux 6.1 or later with CONFIG_TRANSPARENT_HUGEPAGE=y")
  }
}
