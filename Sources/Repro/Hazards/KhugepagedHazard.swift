import Glibc
import SystemPackage

/// khugepaged: the kernel's thread finds base pages where a huge one would do, and copies them into one.
/// See ``drawing``.
/// The guard is the reference count that hpage_collapse_scan_pmd and __collapse_huge_page_isolate compare with
/// the mappings (mm/khugepaged.c). No release is known to lack it.
final class KhugepagedHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    khugepaged
    read(fd, buf) ------------->  takes P1 behind buf
                                                            scans the 2 MiB around buf: must see the
                                                            extra reference and give up; else buf is
                                                            in a huge page
                                  I/O completes into P1
    verify: buf is not P1: LOST READ
    """

  private static let pages = "/sys/kernel/mm/transparent_hugepage"
  private static let folder = "\(pages)/khugepaged"

  /// khugepaged scans often, and whole address spaces at once. Its pause would be ten seconds else, and after
  /// it found no huge page a minute.
  static let settings: [Setting] = [
    .file("\(folder)/scan_sleep_millisecs", "1"),
    .file("\(folder)/alloc_sleep_millisecs", "1"),
    .file("\(folder)/pages_to_scan", "65536"),
    .file("\(folder)/max_ptes_none", "511"),
    .file("\(pages)/enabled", "madvise", accepted: ["always"], .skip),
  ]

  static let guards = [counts]
  private static let counts = Guard(
    "khugepaged-counts-references",
    "khugepaged left the page a base page for \(scans) full scans while the I/O had it, and made it part of a huge "
      + "one afterwards")
  let refusal: Guard? = counts
  let replacesFrames = true

  /// The first one may have begun before the advice.
  private static let scans = 3
  private static let counter = "\(folder)/full_scans"

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let before = try pages.entries()
    // Not before the I/O, which would then find a huge page.
    try advise(MADV_HUGEPAGE, "MADV_HUGEPAGE", pages.memory.base, pages.memory.length)
    let start = try Self.fullScans()
    let deadline = Clock.now + pages.patience
    while true {
      let scans = try Self.fullScans() - start
      let outcomes = Self.outcomes(before, try pages.entries(), scans)
      if outcomes.allSatisfy(\.isApplied) || scans >= Self.scans || Clock.now > deadline
        || Interrupts.signal != nil
      {
        return outcomes
      }
      usleep(500)
    }
  }

  private static func outcomes(
    _ before: [PageMapEntry], _ after: [PageMapEntry], _ scans: Int
  ) -> [HazardOutcome] {
    zip(before, after).map { before, after in
      guard let old = before.frame, let new = after.frame else { return .noEffect("no page was there") }
      if old != new, PageFlags.of(new)?.isTransparentHuge == true {
        return .applied(
          "kpageflags: khugepaged made the page part of a huge one; frame \(Hex.number(old)) to \(Hex.number(new))"
        )
      }
      return scans >= Self.scans
        ? .refused("khugepaged made \(scans) full scans and left the frame")
        : .noEffect("khugepaged made \(scans) of \(Self.scans) full scans in time")
    }
  }

  private static func fullScans() throws(KernelError) -> Int {
    guard let scans = KernelFile.number(counter) else {
      throw KernelError("read \(counter)", .noSuchFileOrDirectory)
    }
    return scans
  }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    try advise(MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE", pages.memory.base, pages.memory.length)
    return []
  }

  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let outcomes = try act(pages)
    _ = try settle(pages)
    return outcomes
  }

  /// A page that was copied under I/O was not guarded.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }

  /// khugepaged, and the right to steer it.
  static let need = Need("khugepaged") {
    Need.writable(
      "\(folder)/scan_sleep_millisecs",
      or: "the kernel has no THP: build it with CONFIG_TRANSPARENT_HUGEPAGE=y")
  }
}
