import Glibc

extension MemoryKind {
  /// A page that KSM merged with a twin before the I/O.
  public static let ksm = MemoryKind(
    "ksm-merged", "private anonymous base pages that KSM merged with a twin", needs: [.ksm, .pageFrames],
    settings: KSMDaemon.settings, traits: [.private, .swappable, .divisible, .anonymous, .merged],
    catalogued: ["anon"],
    maximumDepth: 64, isState: true,
    c: .anon(
      uses: [KSMDaemon.cTwin, KSMDaemon.cScan], setUp: KSMDaemon.cSetUp,
      enter: """
        memcpy(twin, buf, page_size);
        madvise(buf, page_size, MADV_MERGEABLE);
        """,
      prove: """
        if (!merges(is_one_with_twin))
          END(SKIPPED, "ksmd did not merge the page with its twin");
        """)
  ) { pieces, length throws(KernelError) in try MergedMemory(pieces: pieces, pieceLength: length) }
}

/// Anonymous base pages of which each is one frame with a twin. The I/O's fault unshares them.
final class MergedMemory: AnonMemory, @unchecked Sendable {
  private let twins: KSMTwins
  private var isMerged = false

  override init(pieces: Int, pieceLength: Int) throws(KernelError) {
    twins = KSMTwins(depth: pieces)
    try super.init(pieces: pieces, pieceLength: pieceLength)
  }

  override func enter(_ pages: PagesUnderIO) throws(KernelError) {
    try twins.fill(pages)
    for run in pages.runs { try advise(MADV_MERGEABLE, "MADV_MERGEABLE", run.start, run.length) }
    try twins.advise(MADV_MERGEABLE, "MADV_MERGEABLE")
    let outcomes = try KSMDaemon.outcomes(pages.patience, with: "its twin") { () throws(KernelError) in
      try twins.areMerged(with: pages)
    }
    isMerged = outcomes.allSatisfy(\.isApplied)
  }

  override func prove(_ entries: [PageMapEntry], _ flags: PageFlags?) -> Proof {
    // KPF_KSM alone would not do: 6.12 shows it for every anonymous page.
    isMerged && entries.allSatisfy { $0.isPresent && !$0.isExclusive } && flags?.isKSM == true
      ? .reached("pagemap: one frame with a twin") : .missed("ksmd did not merge the page with its twin")
  }
}
