import CKernel
import Glibc

/// Migration of pages of a target's page cache, while a buffered read copies from them and a mapping shows them: the
/// find_get_page of the argument of 2008, without any direct I/O.
/// See ``drawing``.
/// Whoever has found a page in the cache holds a reference, and a page with one more than expected does not move; one
/// that was not found yet moves, and is found at its new place. No released kernel is known to get it wrong.
final class CacheMigrationHazard: Hazard, @unchecked Sendable {  // the trial's thread alone uses it
  static let drawing = """
    reader                        kernel                    hazard
    read(F, buf), buffered ---->  finds P1 in F's page
                                  cache, takes a reference
                                                            move_pages(mapping of P1, other node):
                                                            must see the reference and give up; else
                                                            P1 is free, and somebody's next page
                                  copies P1 to buf
    <---------------------------
    verify: buf, and the mapping, have the data: else LOST READ, STALE
    """

  static let guards = [Guard.migrationCounts, finds]
  private static let finds = Guard(
    "lookup-follows-migration",
    "the cached page moved while the read was under way, and reader and mapping had the data")
  let refusal: Guard? = Guard.migrationCounts

  private let migration = MovePagesHazard()
  /// What the mapping shows afterwards.
  private let depth: Int
  private let seen: AddressRange
  private var mapping: (start: UnsafeMutableRawPointer, length: Int)?

  init(depth: Int) throws(KernelError) {
    self.depth = depth
    seen = try AddressRange(length: depth * kernelPageSize)
  }

  deinit { unmap() }

  private func unmap() {
    if let mapping { munmap(mapping.start, mapping.length) }
    mapping = nil
  }

  private func start(_ pages: PagesUnderIO) -> Int {
    Int(pages.transfer.offset) / kernelPageSize * kernelPageSize
  }

  /// The range as the mapping has it, every page of it in the cache.
  private func mapped(_ pages: PagesUnderIO) throws(KernelError) -> PagesUnderIO {
    if mapping == nil {
      let start = start(pages)
      let length = Int(pages.transfer.offset) + pages.transfer.length - start
      let at = mmap(nil, length, PROT_READ, MAP_SHARED, pages.transfer.descriptor, off_t(start))
      guard let at, at != MAP_FAILED else { throw .last("map the target") }
      mapping = (at, length)
    }
    guard let mapping else { return pages }
    let addresses = stride(from: 0, to: mapping.length, by: kernelPageSize).map { mapping.start + $0 }
    for address in addresses { _ = ck_load8(address) }
    return PagesUnderIO(
      memory: pages.memory, addresses: addresses, stride: kernelPageSize, size: kernelPageSize,
      schedule: pages.schedule, timeline: pages.timeline, pageMap: pages.pageMap, patience: pages.patience,
      transfer: pages.transfer)
  }

  /// One outcome for all: that some page moved, or that none did.
  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let outcomes = try migration.act(try mapped(pages))
    return (outcomes.first(where: \.isApplied) ?? outcomes.first).map { [$0] } ?? []
  }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    guard let mapping else { return [] }
    try AddressRange.map(seen.base, seen.length, MAP_PRIVATE | MAP_ANONYMOUS)
    return (0..<depth).map { page in
      let placed = pages.placed(page)
      // As much of the page as the I/O covers.
      let inPage = pages.addresses[page] - placed.memory
      let place = seen.base + page * kernelPageSize
      memcpy(
        place, mapping.start + (Int(placed.offset) - start(pages) + inPage), placed.length - inPage)
      return View(page: page, copy: place, region: .cache, content: .data)
    }
  }

  /// Once the read is over nobody has the pages, and they move.
  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    defer { unmap() }
    return try act(pages)
  }

  func prepare(_ pages: PagesUnderIO) { unmap() }

  func asked(_ page: Observation, _ number: Int) -> Guard? { Self.finds }
}
