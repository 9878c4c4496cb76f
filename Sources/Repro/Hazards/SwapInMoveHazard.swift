import CKernel
import SystemPackage

/// do_swap_page against migration: the read's own page fault, and that of a second process, bring the page back
/// through the swap cache, and move_pages(2) migrates it meanwhile. See ``drawing``.
/// Migration gives the swap cache the new page in place of the old one (mm/migrate.c, folio_migrate_mapping), and a
/// fault that found the old one must look again under its lock (mm/memory.c, do_swap_page).
final class SwapInMoveHazard: Hazard, @unchecked Sendable {  // reader and agent take turns
  static let drawing = """
    reader                    second process       kernel                    mover
    (buf is on swap)          (the same entry)
                              load: fault ---->    swap cache has P1,
                                                   mapped there
    read(fd, buf) --------------------------->     fault: finds P1 in the
                                                   swap cache
                                                                             move_pages(it, all):
                                                                             P1 to P2, swap cache too
                                                   fault goes on: must copy
                                                   P2, not P1
    verify: the data, and no page that is nobody's
    """

  static let guards = [follows]
  private static let follows = Guard(
    "swap-cache-follows-migration",
    "a page of the swap cache (kpageflags) moved while the read's fault brought it back, and the data is right"
  )

  private let child: ForkHazard
  /// Where the page was before it moved: on swap, as the read's fault finds it.
  private var isStaged = false

  init() throws(KernelError) { child = try ForkHazard(.reads, depth: 1) }

  /// Brings the page to swap, and lets a second process that shares its entry load it.
  func prepare(_ pages: PagesUnderIO) throws(KernelError) {
    _ = try child.settle(pages)
    try Swapping.out(pages)
    isStaged = try pages.entries()[0].isSwapped
    if isStaged { _ = try child.act(pages) }
  }

  /// Moves the page in the second process, which has it from the swap cache.
  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    guard isStaged, let pid = child.pidOfChild else {
      return [.noEffect("MADV_PAGEOUT left the page mapped")]
    }
    let map = try PageMap(of: pid)
    let address = pages.addresses[0]
    guard let before = try map.entry(of: address).frame, let flags = PageFlags.of(before), flags.isSwapCache
    else { return [.noEffect("kpageflags: the second process's page is not in the swap cache")] }
    try Migration.moveShared(address, in: pid)
    guard let after = try map.entry(of: address).frame, after != before else {
      return [.noEffect("move_pages left frame \(Hex.number(before)) of the swap cache")]
    }
    return [
      .applied(
        "move_pages moved the page of the swap cache: frame \(Hex.number(before)) to \(Hex.number(after))")
    ]
  }

  /// What the fault did not meet is not of interest later.
  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    [.noEffect("not tried again")]
  }

  func leave(_ pages: PagesUnderIO) { _ = try? child.settle(pages) }

  /// The page was on swap for the reader before it moved, and there afterwards: the fault came meanwhile.
  func asked(_ page: Observation, _ number: Int) -> Guard? {
    page.arrival?.isSwapped == true && page.hazarded?.isPresent == true ? Self.follows : nil
  }
}
