import CKernel
import Glibc

/// Frames that somebody has a reference to and nobody can reach: what is left of a page of anonymous memory that no
/// process maps any more.
///
/// User space sees no reference counts; /proc/kpagecount has mappings. But the last reference takes a page's flags and
/// owner with it (mm/page_alloc.c, free_pages_prepare), so that a frame that is still that of an anonymous page is not
/// free. One that is free, or has become another's, is not among them: nothing is said of it.
enum HeldFrames {
  /// Those of `frames` that stay so for `patience` nanoseconds.
  /// - Throws: KernelError where the kernel does not empty its lists of pages on their way to the LRU, which have
  ///   references of their own.
  static func among(_ frames: Set<UInt64>, patience: Nanoseconds = Clock.seconds(1)) throws(KernelError)
    -> [UInt64]
  {
    let deadline = Clock.now + patience
    var held = frames.filter(isLeft)
    while !held.isEmpty, Clock.now < deadline {
      try drain()
      usleep(pause)
      held = held.filter(isLeft)
    }
    return held.sorted()
  }

  /// Microseconds between two looks: whoever reclaims, scans or frees the page has it for less.
  private static let pause: UInt32 = 10_000

  /// Part of a larger page says nothing: a page table may have let go of it alone. Nor does the swap cache, which has
  /// what nobody maps until it is reclaimed.
  private static func isLeft(_ frame: UInt64) -> Bool {
    guard let flags = PageFlags.of(frame) else { return false }
    return flags.isAnonymous && flags.isSwapBacked
      && !(flags.isMapped || flags.isSwapCache || flags.isCompound || flags.isFree)
  }

  /// move_pages(2) empties the lists of all CPUs before it moves anything (lru_add_drain_all).
  private static func drain() throws(KernelError) {
    let page = try AddressRange(length: kernelPageSize)
    try AddressRange.map(page.base, page.length, MAP_PRIVATE | MAP_ANONYMOUS)
    ck_store64(page.base, 1)
    var (addresses, status) = ([Optional(page.base)], [CInt](repeating: -1, count: 1))
    try check(ck_move_pages(0, 1, &addresses, nil, &status), "move_pages (query)")
    let nodes = status
    _ = try check(ck_move_pages(0, 1, &addresses, nodes, &status), "move_pages")
  }
}
