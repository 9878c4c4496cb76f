import Glibc

/// KSM maps the zero page in place of a page of zeros (use_zero_pages), for which it needs no twin.
/// See ``drawing``.
/// The guard is write_protect_page() in mm/ksm.c, as for twins.
final class KSMZeroHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    ksmd
    read(fd, buf) ------------->  takes P1 behind buf,
                                  which holds zeros
                                                            P1 is all zeros: write-protects it, must
                                                            see the extra reference and give up;
                                                            else buf is the zero page
                                  I/O completes into P1
    verify: zeros: LOST READ
    """

  static let cFragment = CFragment(
    uses: [KSMDaemon.cScan],
    globals: """
      static bool is_zero_page(void)
      {
        return flags_of(buf) >> 24 & 1; /* KPF_ZERO_PAGE */
      }
      """,
    setUp: """
      if (access("/sys/kernel/mm/ksm/use_zero_pages", W_OK) < 0)
        END(SKIPPED, "KSM: %m; be root, and build the kernel with CONFIG_KSM");
      """,
    act: """
      if (buf[0]) /* after the read */
        memset(buf, 0, page_size);
      madvise(buf, page_size, MADV_MERGEABLE);
      return merges(is_zero_page);
      """,
    canBeRefused: true)

  static let settings = KSMDaemon.settings + [.file("/sys/kernel/mm/ksm/use_zero_pages", "1")]
  static let guards = [KSMHazard.refuses]
  let refusal: Guard? = KSMHazard.refuses
  let toleratesStores = false

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    for run in pages.runs { try advise(MADV_MERGEABLE, "MADV_MERGEABLE", run.start, run.length) }
    return try KSMDaemon.outcomes(pages.patience, with: "the zero page") { () throws(KernelError) in
      try pages.entries().map { $0.frame.flatMap(PageFlags.of)?.isZeroPage == true }
    }
  }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    for run in pages.runs { try advise(MADV_UNMERGEABLE, "MADV_UNMERGEABLE", run.start, run.length) }
    return []
  }

  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    for address in pages.addresses { memset(address, 0, pages.size) }
    let outcomes = try act(pages)
    _ = try settle(pages)
    return outcomes
  }

  /// A merged page is read-only: a store to it must copy, and the I/O has the old frame.
  func asked(_ page: Observation, _ number: Int) -> Guard? { nil }
}
