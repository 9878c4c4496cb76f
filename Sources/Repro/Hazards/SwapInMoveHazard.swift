import Glibc
import SystemPackage

/// do_swap_page against migration: a page of the swap cache, which a second process has mapped, is migrated, and the
/// read's own page fault brings it back. See ``drawing``.
/// Migration puts the new page into the swap cache in place of the old one (mm/migrate.c, folio_migrate_mapping), and a
/// fault that found the old one looks again under its lock (mm/memory.c, do_swap_page). What the fault maps, or copies
/// for a read that is about to write, must be the page with its bytes, also those beside the I/O's.
/// Staged, the page moves before the read is issued, so that its fault finds the moved one; as a race, while it is.
final class SwapInMoveHazard: Hazard, @unchecked Sendable {  // the trial's thread alone uses it
  static let drawing = """
    reader                    second process       kernel                    mover
    (buf is on swap)          (the same entry)
                              has loaded --------> P1 is in the swap cache
                                                   and mapped there
    read(fd, buf) --------------------------->     fault: looks the entry up
                                                                             move_pages(second process):
                                                                             P1 to P2, swap cache too
                                                   must copy P2 for buf, P1
                                                   is free and may be another's
    verify: the data, beside it the fill; and the second process has the fill: else FOREIGN, ZEROED, LEAK
    """

  static let guards = [follows]
  private static let follows = Guard(
    "swap-cache-follows-migration",
    "the page was on swap for the reader when it was moved in the swap cache, and the read's fault found its bytes"
  )
  var viewsHoldInRaces: Bool { true }
  /// The fault is at the very start of the I/O: a move that begins after the start is mostly late.
  var mayPrecedeIO: Bool { true }

  /// Which pages were still on swap here when the move began.
  private var wereOut: [Bool] = []
  /// Those of the second process's pages before and after the move, and of the reader's copies.
  private(set) var framesHad: Set<UInt64> = []
  /// What the second process has, a page each.
  private let seen: AddressRange

  init(depth: Int) throws(KernelError) { seen = try AddressRange(length: depth * kernelPageSize) }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    guard let sharer = pages.memory.sharer else { return [.noEffect("no second process has the page")] }
    let map = try PageMap(of: sharer)
    let to = try Migration.nodes(of: pages, in: sharer).map(Migration.other)
    let before = try pages.entries(in: map)
    let flags = before.map { $0.frame.flatMap(PageFlags.of) }
    wereOut = try pages.entries().map(\.isSwapped)
    _ = try Migration.move(pages, to: to, in: sharer)
    let after = try pages.entries(in: map)
    framesHad.formUnion((before + after).compactMap(\.frame))
    let outcomes = Migration.outcomes(before, after, by: "move_pages") { "to node \(to[$0])" }
    return zip(outcomes, flags).map { outcome, flags in
      flags?.isSwapCache == true
        ? outcome : .noEffect("kpageflags: the second process's page is not in the swap cache")
    }
  }

  /// What the second process has of the pages: never anything of the I/O, whose fault made the reader a copy.
  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    guard let sharer = pages.memory.sharer else { return [] }
    framesHad.formUnion(try pages.entries().compactMap(\.frame))
    try AddressRange.map(seen.base, seen.length, MAP_PRIVATE | MAP_ANONYMOUS)
    let memory = open("/proc/\(sharer)/mem", O_RDONLY | O_CLOEXEC)
    if memory < 0 { throw .last("open the memory of process \(sharer)") }
    defer { close(memory) }
    return try pages.addresses.enumerated().map { (page, address) throws(KernelError) in
      let copy = seen.base + page * pages.size
      if pread(memory, copy, pages.size, off_t(Int(bitPattern: address))) != pages.size {
        throw .last("read the memory of process \(sharer)")
      }
      return View(page: page, copy: copy)
    }
  }

  func asked(_ page: Observation, _ number: Int) -> Guard? {
    let isBack = (page.taken ?? page.end)?.isPresent == true
    return number < wereOut.count && wereOut[number] && isBack ? Self.follows : nil
  }
}
