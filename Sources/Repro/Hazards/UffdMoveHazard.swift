import CKernel
import Glibc
import SystemPackage

/// UFFDIO_MOVE: the page is moved to another address without a copy, and back again. What the I/O writes must
/// follow it.
/// See ``drawing``.
/// Since 6.8 (adef440691ba), which refuses pages that are pinned or not exclusive. One that is merely
/// referenced moves, and its data with it: same frame, nothing lost.
final class UffdMoveHazard: Hazard, @unchecked Sendable {  // the trial's thread alone uses it
  static let drawing = """
    reader                        kernel                    hazard / store
    read(fd, buf) ------------->  takes P1 behind buf
                                                            UFFDIO_MOVE(buf to aside): must be
                                                            refused (EBUSY), or move P1 itself
                                                            UFFDIO_MOVE(aside to buf)
                                                            store to buf; were the page copied on
                                                            its way, buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static let cFragment = CFragment(
    includes: ["linux/userfaultfd.h", "sys/ioctl.h"],
    globals: """
      #ifndef UFFDIO_MOVE /* headers before Linux 6.8 */
      struct uffdio_move { __u64 dst, src, len, mode; __s64 move; };
      #define UFFDIO_MOVE _IOWR(UFFDIO, 0x05, struct uffdio_move)
      #endif
      static int mover; /* a userfaultfd */

      static int move_page(void *to, void *from)
      {
        struct uffdio_move move = { .dst = (size_t)to, .src = (size_t)from, .len = page_size };

        return ioctl(mover, UFFDIO_MOVE, &move);
      }

      static void watch(void *page)
      {
        struct uffdio_register range = {
          .range = { (size_t)page, page_size }, .mode = UFFDIO_REGISTER_MODE_MISSING };

        if (ioctl(mover, UFFDIO_REGISTER, &range) < 0)
          END(ERROR, "UFFDIO_REGISTER: %m");
      }

      static void open_mover(void)
      {
        struct uffdio_api api = { .api = UFFD_API };

        mover = syscall(SYS_userfaultfd, O_CLOEXEC);
        if (mover < 0 || ioctl(mover, UFFDIO_API, &api) < 0)
          END(SKIPPED, "userfaultfd: %m; be root, with CONFIG_USERFAULTFD");
        if (mprotect(above, 2 * page_size, PROT_READ | PROT_WRITE) < 0)
          END(ERROR, "mprotect: %m");
        watch(above);
        above[page_size] = 1;
        if (move_page(above, above + page_size) < 0)
          END(SKIPPED, "no UFFDIO_MOVE: %m; boot Linux 6.8 or later");
        madvise(above, page_size, MADV_DONTNEED);
      }
      """,
    setUp: """
      open_mover();
      """,
    act: """
      struct uffdio_range here = { (size_t)buf, page_size };
      bool moved;

      watch(buf);
      moved = move_page(above, buf) == 0;
      if (moved && move_page(buf, above) < 0)
        END(ERROR, "UFFDIO_MOVE back: %m");
      ioctl(mover, UFFDIO_UNREGISTER, &here);
      return moved;
      """,
    canBeRefused: true)

  static let guards = [leaves, moves]
  private static let leaves = Guard(
    "uffdio-move-leaves-pinned", "UFFDIO_MOVE was refused while the I/O had the page, and worked afterwards")
  private static let moves = Guard(
    "uffdio-move-keeps-frame", "the page was at another address and back, and the same frame was behind it")
  let refusal: Guard? = leaves
  /// For a moment nothing is mapped: a store that runs free would wait for us.
  let toleratesStores = false
  private let uffd: Userfaultfd
  private let aside: AddressRange

  init(depth: Int) throws(KernelError) {
    uffd = try Userfaultfd()
    aside = try AddressRange(length: depth * kernelPageSize)
    try AddressRange.map(aside.base, aside.length, MAP_PRIVATE | MAP_ANONYMOUS)
    _ = madvise(aside.base, aside.length, MADV_NOHUGEPAGE)
    try check(ck_uffd_register(uffd.descriptor, aside.base, aside.length), "UFFDIO_REGISTER")
  }

  /// Not in prepare: from here on a page that is missing waits for us, and what the I/O takes may be missing.
  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    for run in pages.runs {
      try check(ck_uffd_register(uffd.descriptor, run.start, run.length), "UFFDIO_REGISTER")
    }
    var outcomes: [HazardOutcome] = []
    for (page, address) in pages.addresses.enumerated() {
      outcomes.append(try thereAndBack(page, address, pages))
    }
    return outcomes
  }

  private func thereAndBack(
    _ page: Int, _ address: UnsafeMutableRawPointer, _ pages: PagesUnderIO
  ) throws(KernelError) -> HazardOutcome {
    let place = aside.base + page * kernelPageSize
    if try !pages.pageMap.entry(of: address).isPresent { return .noEffect("no page was there to move") }
    let result = ck_uffd_move(uffd.descriptor, place, address, kernelPageSize)
    if try pages.pageMap.entry(of: address).isPresent {
      return .refused("UFFDIO_MOVE left the page: \(Errno(rawValue: -result))")
    }
    let back = ck_uffd_move(uffd.descriptor, address, place, kernelPageSize)
    if back < 0 {
      // Nothing may stay missing for whoever comes next.
      try check(ck_remap_over(place, kernelPageSize, address), "mremap the page back")
      return .noEffect("the page moved, and not back: \(Errno(rawValue: -back))")
    }
    return .applied("pagemap: the page was gone from its address, and is back")
  }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    for run in pages.runs { ck_uffd_unregister(uffd.descriptor, run.start, run.length) }
    return []
  }

  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    let outcomes = try act(pages)
    _ = try settle(pages)
    return outcomes
  }

  func asked(_ page: Observation, _ number: Int) -> Guard? { page.keptFrame == true ? Self.moves : nil }
}
