import CKernel
import Glibc

/// A range that is being written directly is read through the page cache meanwhile, by a mapping and by read(2): the
/// cache then holds what the disk is about to hold no more.
/// See ``drawing``.
/// While the write is under way either is right. Once it has returned, all must see the new data: the kernel drops the
/// range once more after the I/O (iomap_dio_complete, generic_file_direct_write).
final class CachedRangeHazard: Hazard, @unchecked Sendable {  // the trial's thread alone uses it
  static let drawing = """
    writer                        kernel                    hazard
    write(F, O_DIRECT) -------->  drops the range from F's
                                  page cache, takes P1
                                                            load from a mapping of F, read(F):
                                                            the old data, and now it is cached
                                  P1 goes to the disk; must
                                  drop the range once more
    <---------------------------
                                                            load from the mapping, read(F): the old
                                                            data: STALE
    """

  static let guards = [drops]
  private static let drops = Guard(
    "write-drops-cached-range",
    "the range was in the page cache before the write reached the disk, and everybody saw the new data after it"
  )

  private let depth: Int
  /// What the mapping and read(2) show afterwards, a page each.
  private let seen: AddressRange
  private var wasCached: [Bool] = []
  private var mapping: (start: UnsafeMutableRawPointer, length: Int)?

  init(depth: Int) throws(KernelError) {
    self.depth = depth
    seen = try AddressRange(length: 2 * depth * kernelPageSize)
  }

  deinit { unmap() }

  private func unmap() {
    if let mapping { munmap(mapping.start, mapping.length) }
    mapping = nil
  }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    unmap()
    let start = Int(pages.transfer.offset) / kernelPageSize * kernelPageSize
    let length = Int(pages.transfer.offset) + pages.transfer.length - start
    let at = mmap(nil, length, PROT_READ, MAP_SHARED, pages.transfer.descriptor, off_t(start))
    guard let at, at != MAP_FAILED else { throw .last("map the target") }
    mapping = (at, length)
    wasCached = try (0..<depth).map { (page) throws(KernelError) in
      let address = at + (pages.place(page) - start)
      _ = ck_load8(address)
      return try check(ck_in_core(address), "mincore") == 1
    }
    return wasCached.map {
      $0 ? .applied("mincore: the range was read into the page cache") : .noEffect("the range is not cached")
    }
  }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    guard let mapping else { return [] }
    defer { unmap() }
    try AddressRange.map(seen.base, seen.length, MAP_PRIVATE | MAP_ANONYMOUS)
    let file = open("/proc/self/fd/\(pages.transfer.descriptor)", O_RDONLY | O_CLOEXEC)
    if file < 0 { throw .last("open the target once more") }
    defer { close(file) }
    let start = Int(pages.transfer.offset) / kernelPageSize * kernelPageSize
    var views: [View] = []
    for page in 0..<depth {
      let (mapped, read) = (
        seen.base + 2 * page * kernelPageSize, seen.base + (2 * page + 1) * kernelPageSize
      )
      memcpy(mapped, mapping.start + (pages.place(page) - start), pages.size)
      if pread(file, read, pages.size, off_t(pages.place(page))) != pages.size {
        throw .last("read the target through its page cache")
      }
      for copy in [mapped, read] {
        views.append(View(page: page, copy: copy, region: .cache, content: .data))
      }
    }
    return views
  }

  var viewsHoldInRaces: Bool { true }

  func asked(_ page: Observation, _ number: Int) -> Guard? {
    number < wasCached.count && wasCached[number] ? Self.drops : nil
  }
}
