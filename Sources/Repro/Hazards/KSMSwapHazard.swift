/// KSM after swap: the page comes back from the swap cache clean and read-only, and KSM merges it without
/// looking whether anybody has it. Nobody stores.
/// See ``drawing``.
/// write_protect_page() in mm/ksm.c counts references only where it takes write permission or a dirty bit
/// away. Since 5.19 a page that was exclusive stays marked so through swap (6c287605fd56, 1493a1913e34), and
/// KSM asks then too.
enum KSMSwapHazard {
  static let drawing = """
    reader                  kernel               hazards              ksmd
    read(fd, buf) ------->  takes P1 behind buf
                                                 MADV_PAGEOUT on buf
                                                 load from buf: P1
                                                 is back, clean and
                                                 read-only
                                                                      P1 is like its twin P3, and
                                                                      write-protected already, so
                                                                      nobody counts references:
                                                                      buf is P3
                            I/O completes into P1
    verify: buf is P3: LOST READ; where P1 became the shared page, the twin has it: LEAKED
    """

  /// What stands between the page and its twin, from the first hazard on.
  static let guards = PageoutHazard.guards + [KSMHazard.refuses]

  static let cFragment: CFragment = {
    let (trip, merge) = (PageoutHazard.cFragment, KSMHazard.cFragment)
    return CFragment(
      uses: trip.uses + merge.uses,
      globals: [
        CFragment.function("page_out", trip.act), CFragment.function("merge", merge.act),
      ].joined(separator: "\n\n"),
      setUp: trip.setUp + "\n" + merge.setUp,
      act: """
        page_out();
        return merge();
        """,
      touch: "/* nobody stores */", settle: merge.settle,
      canBeRefused: true)
  }()
}
