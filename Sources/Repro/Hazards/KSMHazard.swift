import Glibc
import SystemPackage

/// KSM: ksmd finds a twin of the page and maps one write-protected page for both.
/// See ``drawing``.
/// The guard is write_protect_page() in mm/ksm.c. A page is only compared once its checksum was the
/// same in two scans, so the hazard waits for three full scans and not for a time.
final class KSMHazard: Hazard, @unchecked Sendable {  // the trial's thread alone uses it
  static let drawing = """
    reader                        kernel                    ksmd
    read(fd, buf) ------------->  takes P1 behind buf
                                                            P1 same as its twin P3: write-protects
                                                            P1, must see the extra reference and
                                                            give up; else buf is P3
                                  I/O completes into P1
    verify: buf is P3: LOST READ
    """

  /// ksmd scans often, everything, and by no policy of its own (Documentation/mm/ksm.rst). Without any sleep
  /// it would keep a CPU busy, and a trial in a guest that shares its CPUs waits for that.
  static let settings: [Setting] = [
    // The advisor (6.8) would refuse pages_to_scan; smart scan (6.7) skips pages that failed before.
    .file("/sys/kernel/mm/ksm/advisor_mode", "none", .wished),
    .file("/sys/kernel/mm/ksm/smart_scan", "0", .wished),
    .file("/sys/kernel/mm/ksm/pages_to_scan", "1000"),
    .file("/sys/kernel/mm/ksm/sleep_millisecs", "1"),
    .file(run, "1"),
  ]

  private static let scans = 3
  private static let run = "/sys/kernel/mm/ksm/run"
  private static let counter = "/sys/kernel/mm/ksm/full_scans"

  static let cFragment = CFragment(
    globals: """
      static unsigned char *twin; /* a page with the same bytes */
      """,
    setUp: """
      twin = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (twin == MAP_FAILED || madvise(twin, page_size, MADV_MERGEABLE) < 0)
        END(SKIPPED, "MADV_MERGEABLE: %m; build the kernel with CONFIG_KSM");
      """,
    act: """
      int fd = open("/sys/kernel/mm/ksm/full_scans", O_RDONLY | O_CLOEXEC);
      char scans[32] = "";
      long enough = 0;
      bool merged;

      memcpy(twin, buf, page_size);
      madvise(buf, page_size, MADV_MERGEABLE);
      do {
        usleep(200);
        if (pread(fd, scans, sizeof(scans) - 1, 0) > 0 && !enough)
          enough = atol(scans) + 3;
        merged = !((pagemap(buf) ^ pagemap(twin)) & FRAME);
      } while (!merged && atol(scans) < enough);
      close(fd);
      return merged;
      """,
    canBeRefused: true)

  let refusal: Guard? = Guard(
    "ksm-counts-references",
    "ksmd left the page alone for \(scans) full scans, and merged it once the I/O was over")
  let replacesFrames = false
  /// A page that is stored to is never the same as its twin.
  let toleratesStores = false
  /// One a page, of the same bytes.
  private let twins: AddressRange

  init(depth: Int) throws(KernelError) {
    twins = try AddressRange(length: depth * kernelPageSize)
    try AddressRange.map(twins.base, twins.length, MAP_PRIVATE | MAP_ANONYMOUS)
    _ = madvise(twins.base, twins.length, MADV_NOHUGEPAGE)
  }

  private func twin(_ page: Int) -> UnsafeMutableRawPointer { twins.base + page * kernelPageSize }

  private func advise(_ advice: CInt, _ name: String, _ pages: PagesUnderIO) throws(KernelError) {
    for run in pages.runs { try Repro.advise(advice, name, run.start, run.length) }
    try Repro.advise(advice, name, twins.base, twins.length)
  }

  private func fillTwins(_ pages: PagesUnderIO) {
    for (page, address) in pages.addresses.enumerated() { memcpy(twin(page), address, pages.size) }
  }

  func prepare(_ pages: PagesUnderIO) throws(KernelError) { fillTwins(pages) }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    // Not in prepare: a page merged before the I/O would be unshared by it, and tell less.
    try advise(MADV_MERGEABLE, "MADV_MERGEABLE", pages)
    let start = try fullScans()
    let deadline = Clock.now + pages.patience
    while true {
      let scans = try fullScans() - start
      let merged = try isMerged(pages)
      if !isRunning {
        return [.noEffect("ksmd was stopped by somebody else: \(Self.run) is no longer 1")]
      }
      let isTime = Clock.now > deadline || Interrupts.signal != nil
      if merged.allSatisfy({ $0 }) || scans >= Self.scans || isTime {
        return merged.map { isMerged in
          if isMerged { return .applied("ksmd merged the page with its twin: they are one frame") }
          if scans >= Self.scans {
            return .refused(
              "ksmd made \(scans) full scans over page and twin, the same bytes, and merged nothing")
          }
          return .noEffect("ksmd made \(scans) of \(Self.scans) full scans in time")
        }
      }
      usleep(200)
    }
  }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    try advise(MADV_UNMERGEABLE, "MADV_UNMERGEABLE", pages)
    return []
  }

  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    fillTwins(pages)
    let outcomes = try act(pages)
    _ = try settle(pages)
    return outcomes
  }

  /// A merged page is shared and read-only: a store to it must copy, and the I/O has the old frame.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }

  private var isRunning: Bool { KernelFile.number(Self.run) == 1 }

  private func fullScans() throws(KernelError) -> Int {
    guard let scans = KernelFile.number(Self.counter) else {
      throw KernelError("read \(Self.counter)", .noSuchFileOrDirectory)
    }
    return scans
  }

  /// Merged pages are one frame. Without the right to see frames the scenario is skipped before it comes
  /// here.
  private func isMerged(_ pages: PagesUnderIO) throws(KernelError) -> [Bool] {
    let twinEntries = try pages.pageMap.entries(of: twins.base, count: pages.count)
    return zip(try pages.entries(), twinEntries).map { page, twin in
      page.frame != nil && page.frame == twin.frame
    }
  }
}
