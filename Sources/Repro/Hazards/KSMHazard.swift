import Glibc
import SystemPackage

/// KSM: ksmd finds a twin of the page and maps one write-protected page for both.
/// See ``drawing``.
/// The guard is write_protect_page() in mm/ksm.c. A page is only compared once its checksum was the
/// same in two scans, so the hazard waits for three full scans and not for a time.
final class KSMHazard: Hazard {
  static let drawing = """
    reader                        kernel                    ksmd
    read(fd, buf) ------------->  takes P1 behind buf
                                                            P1 same as its twin P3: write-protects
                                                            P1, must see the extra reference and
                                                            give up; else buf is P3
                                  I/O completes into P1
    verify: buf is P3: LOST READ
    """

  /// ksmd scans without pause, everything, and by no policy of its own (Documentation/mm/ksm.rst).
  static let settings: [HostSetting] = [
    // The advisor (6.8) would refuse pages_to_scan; smart scan (6.7) skips pages that failed before.
    .file("/sys/kernel/mm/ksm/advisor_mode", "none", isRequired: false),
    .file("/sys/kernel/mm/ksm/smart_scan", "0", isRequired: false),
    .file("/sys/kernel/mm/ksm/pages_to_scan", "1000", isRequired: true),
    .file("/sys/kernel/mm/ksm/sleep_millisecs", "0", isRequired: true),
    .file("/sys/kernel/mm/ksm/run", "1", isRequired: true),
  ]

  private static let scans = 3
  private static let counter = "/sys/kernel/mm/ksm/full_scans"

  static let cFragment = CFragment(
    setUp: """
      if (access("/sys/kernel/mm/ksm/run", W_OK) < 0)
        END(SKIPPED, "no KSM: build the kernel with CONFIG_KSM");
      """,
    prepare: """
      madvise(buf, 2 * page_size, MADV_UNMERGEABLE);
      """,
    act: """
      int fd = open("\(counter)", O_RDONLY | O_CLOEXEC);
      char scans[32] = "";
      long enough = 0;
      bool merged;

      memcpy(buf + page_size, buf, page_size); /* the twin */
      if (madvise(buf, 2 * page_size, MADV_MERGEABLE) < 0)
        END(ERROR, "MADV_MERGEABLE: %m");
      do {
        usleep(200);
        if (pread(fd, scans, sizeof(scans) - 1, 0) > 0 && !enough)
          enough = atol(scans) + \(scans);
        merged = !((pagemap(buf) ^ pagemap(buf + page_size)) & FRAME);
      } while (!merged && atol(scans) < enough);
      close(fd);
      return merged;
      """,
    canBeRefused: true)

  func prepare(_ page: PageUnderIO) throws(KernelError) {
    memcpy(page.twin, page.address, page.size)
  }

  func act(_ page: PageUnderIO) throws(KernelError) -> HazardOutcome {
    // Not in prepare: a page merged before the I/O would be unshared by it, and tell less.
    for one in [page.address, page.twin] {
      try page.arena.advise(MADV_MERGEABLE, "MADV_MERGEABLE", from: one, page.size)
    }
    let start = try fullScans()
    let deadline = Clock.now + page.patience
    while true {
      let scans = try fullScans() - start
      if try isMerged(page) { return .applied("ksmd merged the page with its twin") }
      if scans >= Self.scans {
        return .refused(
          "ksmd made \(scans) full scans over page and twin, the same bytes, and merged nothing")
      }
      if Clock.now > deadline {
        return .noEffect("ksmd made \(scans) of \(Self.scans) full scans in time")
      }
      usleep(200)
    }
  }

  func settle(_ page: PageUnderIO) throws(KernelError) -> [Damage] {
    for one in [page.address, page.twin] {
      try page.arena.advise(MADV_UNMERGEABLE, "MADV_UNMERGEABLE", from: one, page.size)
    }
    return []
  }

  func actWithoutIO(_ page: PageUnderIO) throws(KernelError) -> HazardOutcome {
    memcpy(page.twin, page.address, page.size)
    let outcome = try act(page)
    _ = try settle(page)
    return outcome
  }

  private func fullScans() throws(KernelError) -> Int {
    guard let scans = KernelFile.number(Self.counter) else {
      throw KernelError("read \(Self.counter)", .noSuchFileOrDirectory)
    }
    return scans
  }

  /// Merged pages are one frame. Without the right to see frames, kpageflags is hidden too, and
  /// changing KSM's settings as well: then the scenario is skipped before it comes here.
  private func isMerged(_ page: PageUnderIO) throws(KernelError) -> Bool {
    let map = try PageMap(pageSize: page.size)
    guard let frame = map.frame(of: page.address) else { return false }
    return frame == map.frame(of: page.twin)
  }
}
