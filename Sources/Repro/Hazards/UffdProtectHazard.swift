import CKernel
import Glibc
import SystemPackage

/// userfaultfd write-protect, on and off again, as a live snapshot does: the page stays write-protected, and
/// the next store decides whether it may be reused.
/// See ``drawing``.
/// Same break and mend as mprotect: 5.9 to 5.19. That the snapshot itself does not hear of what the I/O
/// writes is a known limit, which nothing here asks about.
final class UffdProtectHazard: Hazard, @unchecked Sendable {  // the trial's thread alone uses it
  static let drawing = """
    reader                        kernel                    hazard / store
    read(fd, buf) ------------->  takes P1 behind buf
                                                            UFFDIO_WRITEPROTECT(buf, on)
                                                            UFFDIO_WRITEPROTECT(buf, off)
                                                            store to buf: write fault; P1 has an
                                                            extra reference: copied, buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static let cFragment = CFragment(
    includes: ["linux/userfaultfd.h", "sys/ioctl.h", "sys/resource.h"], uses: [CFragment.storeFaults],
    globals: """
      static int protector; /* a userfaultfd */

      static void open_protector(void)
      {
        struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };

        protector = syscall(SYS_userfaultfd, O_CLOEXEC);
        if (protector < 0 || ioctl(protector, UFFDIO_API, &api) < 0)
          END(SKIPPED, "no write-protection by userfaultfd: %m; be root, Linux 5.7 or later");
      }

      static void watch(void)
      {
        struct uffdio_register range = {
          .range = { (size_t)buf, page_size }, .mode = UFFDIO_REGISTER_MODE_WP };

        if (ioctl(protector, UFFDIO_REGISTER, &range) < 0)
          END(SKIPPED, "no write-protection: %m; needs HAVE_ARCH_USERFAULTFD_WP");
      }

      static void protect(__u64 mode)
      {
        struct uffdio_writeprotect range = { .range = { (size_t)buf, page_size }, .mode = mode };

        if (ioctl(protector, UFFDIO_WRITEPROTECT, &range) < 0)
          END(ERROR, "UFFDIO_WRITEPROTECT: %m");
      }
      """,
    setUp: """
      open_protector();
      """,
    prepare: """
      watch();
      """,
    act: """
      protect(UFFDIO_WRITEPROTECT_MODE_WP);
      protect(0);
      return store_faults();
      """,
    unasked: "write-protection went on and off, \(CFragment.noFault)")

  static let guards: [Guard] = [.writeFaultReuses]
  private let uffd: Userfaultfd

  init() throws(KernelError) { uffd = try Userfaultfd() }

  func prepare(_ pages: PagesUnderIO) throws(KernelError) {
    for run in pages.runs {
      try check(
        ck_uffd_register_protection(uffd.descriptor, run.start, run.length), "UFFDIO_REGISTER, write-protect")
    }
  }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    for on in [1, 0] as [CInt] {
      for run in pages.runs {
        try check(ck_uffd_protect(uffd.descriptor, run.start, run.length, on), "UFFDIO_WRITEPROTECT")
      }
    }
    return [.applied("UFFDIO_WRITEPROTECT on and off returned")]
  }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    for run in pages.runs { ck_uffd_unregister(uffd.descriptor, run.start, run.length) }
    return []
  }
}

/// A userfaultfd descriptor, closed with its owner.
final class Userfaultfd: Sendable {
  let descriptor: CInt

  init() throws(KernelError) { descriptor = try check(ck_uffd_open(), "userfaultfd") }

  deinit { close(descriptor) }
}

extension Need {
  /// UFFDIO_REGISTER_MODE_WP on anonymous memory, of Linux 5.7.
  static let uffdProtect = Need("userfaultfd write-protect") {
    if let missing = userfaultfd.missing() { return missing }
    let works = try? onFreshPage { uffd, page in
      ck_uffd_register_protection(uffd, page, kernelPageSize)
    }
    return works == 0
      ? nil : "userfaultfd can't write-protect: boot Linux 5.7 or later with CONFIG_HAVE_ARCH_USERFAULTFD_WP"
  }

  /// UFFDIO_MOVE, of Linux 6.8.
  static let uffdMove = Need("UFFDIO_MOVE") {
    if let missing = userfaultfd.missing() { return missing }
    let works = try? onFreshPage { uffd, page in
      ck_store64(page + kernelPageSize, 1)
      let result = ck_uffd_register(uffd, page, kernelPageSize)
      return result < 0 ? result : ck_uffd_move(uffd, page, page + kernelPageSize, kernelPageSize)
    }
    if works == 0 { return nil }
    // userfaultfd_ioctl says so of requests that it does not know.
    return works == -EINVAL
      ? lack("UFFDIO_MOVE", "boot Linux 6.8 or later")
      : "UFFDIO_MOVE of a fresh page fails" + (works.map { ": errno \(-$0)" } ?? "")
  }

  private static func onFreshPage(
    _ body: (CInt, UnsafeMutableRawPointer) -> CInt
  ) throws(KernelError) -> CInt {
    let range = try AddressRange(length: 2 * kernelPageSize)
    try AddressRange.map(range.base, range.length, MAP_PRIVATE | MAP_ANONYMOUS)
    _ = madvise(range.base, range.length, MADV_NOHUGEPAGE)
    let uffd = try Userfaultfd()
    return withExtendedLifetime(uffd) { body(uffd.descriptor, range.base) }
  }
}
