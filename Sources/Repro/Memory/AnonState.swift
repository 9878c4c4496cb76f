import CKernel
import Glibc

/// Private anonymous base pages in a state that they are brought into before the I/O, and that the I/O finds.
struct AnonState: Sendable {
  /// Whether they are stored to at all.
  var isFilled = true
  /// Whether they hold zeros.
  var isZero = false
  /// Brings filled pages there.
  var enter: @Sendable (PagesUnderIO) throws(KernelError) -> Void = { _ throws(KernelError) in }
  /// Whether they are there: pagemap's entries, and the flags of the first one's frame.
  var prove: @Sendable ([PageMapEntry], PageFlags?) -> Proof
}

/// Memory in such a state.
final class AnonStateMemory: AnonMemory, @unchecked Sendable {
  private let state: AnonState

  init(_ state: AnonState, pieces: Int, pieceLength: Int) throws(KernelError) {
    self.state = state
    try super.init(pieces: pieces, pieceLength: pieceLength)
  }

  override var isFilled: Bool { state.isFilled }
  override var isZero: Bool { state.isZero }
  override func enter(_ pages: PagesUnderIO) throws(KernelError) { try state.enter(pages) }
  override func prove(_ entries: [PageMapEntry], _ flags: PageFlags?) -> Proof { state.prove(entries, flags) }
}

extension MemoryKind {
  /// A kind whose pages are in `state` when the I/O comes. The I/O's own fault makes them the caller's, so the
  /// catalogue takes them for `anon`.
  init(
    _ name: String, _ summary: String, needs: [Need] = [.pageFrames], settings: [Setting] = [],
    traits: Set<Trait> = [], c: CMemory, state: AnonState
  ) {
    self.init(
      name, summary, needs: needs, settings: settings,
      traits: traits.union([.private, .swappable, .divisible, .mergeable, .anonymous]), catalogued: ["anon"],
      maximumDepth: 256, isState: true, c: c
    ) { pieces, length throws(KernelError) in
      try AnonStateMemory(state, pieces: pieces, pieceLength: length)
    }
  }

  /// Nothing is there: the I/O's fault is the first.
  public static let absent = MemoryKind(
    "absent", "private anonymous memory that nobody touched before the I/O", needs: [.pageMap],
    c: .anon(
      fill: "0", store: "",
      prove: """
        if (pagemap(buf) >> 62)
          END(SKIPPED, "a page is there already");
        """),
    state: AnonState(isFilled: false, isZero: true) { entries, _ in
      entries.allSatisfy { $0.raw & (3 << 62) == 0 }
        ? .reached("nothing is mapped") : .missed("a page is there already")
    })

  /// The zero page, mapped by a read.
  public static let zeroPage = MemoryKind(
    "zero-page", "private anonymous memory that was only read: the zero page",
    c: .anon(
      fill: "0", store: "(void)*(volatile unsigned char *)buf;",
      prove: CMemory.prove("flags_of(buf) >> 24 & 1 /* KPF_ZERO_PAGE */", "not the zero page")),
    state: AnonState(
      isFilled: false, isZero: true,
      enter: { pages throws(KernelError) in for address in pages.addresses { _ = ck_load8(address) } }
    ) { _, flags in
      flags?.isZeroPage == true ? .reached("the zero page") : .missed("kpageflags: not the zero page")
    })

  /// Pages of zeros.
  public static let zeroed = MemoryKind(
    "zeroed", "private anonymous base pages that were stored zeros to", traits: [.zeroed],
    c: .anon(
      fill: "0", prove: CMemory.prove("!(flags_of(buf) >> 24 & 1) /* KPF_ZERO_PAGE */", "the zero page")),
    state: AnonState(isZero: true) { entries, flags in
      entries.allSatisfy { $0.isPresent && $0.isExclusive } && flags?.isAnonymous == true
        && flags?.isZeroPage == false
        ? .reached("anonymous base pages") : .missed("no anonymous page of one's own is mapped")
    })

  /// Pages that MADV_FREE gave up, still there.
  public static let lazyFree = MemoryKind(
    "lazyfree", "private anonymous base pages that MADV_FREE gave up, and that are still there",
    c: .anon(
      enter: """
        if (madvise(buf, page_size, MADV_FREE) < 0)
          END(ERROR, "MADV_FREE: %m");
        /* Empties this CPU's list of new pages first. */
        madvise(above, page_size, 20 /* MADV_COLD */);
        """,
      prove: CMemory.prove("!(flags_of(buf) >> 14 & 1) /* KPF_SWAPBACKED */", "the page is to be kept")),
    state: AnonState(
      enter: { pages throws(KernelError) in
        for run in pages.runs { try advise(MADV_FREE, "MADV_FREE", run.start, run.length) }
        // Until this CPU's list is drained, which this advice does first, the flag is not there to be seen.
        let range = try AddressRange(length: kernelPageSize)
        _ = madvise(range.base, range.length, MADV_COLD)
      }
    ) { entries, flags in
      guard entries.allSatisfy(\.isPresent), let flags else { return .missed("no page is mapped") }
      return flags.isAnonymous && !flags.isSwapBacked
        ? .reached("kpageflags: anonymous, and not to be kept")
        : .missed("kpageflags: the page is to be kept")
    })
}
