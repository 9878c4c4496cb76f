import CKernel

extension MemoryKind {
  /// Pages on swap that a child has brought back: in the swap cache, mapped there and not here.
  public static let swapShared = MemoryKind(
    "swap-shared", "private anonymous base pages on swap, which a living child has brought back for itself",
    needs: [.swap, .pageFrames], settings: [.swap],
    traits: [.private, .swappable, .divisible, .mergeable, .anonymous, .sharedOnSwap], catalogued: ["anon"],
    maximumDepth: 256, isState: true,
    withoutC: "a child must bring the page back from swap before the read, which no program's does"
  ) { pieces, length throws(KernelError) in try SwapSharedMemory(pieces: pieces, pieceLength: length) }
}

/// Anonymous base pages whose swap entries a child shares, which has loaded from them. The I/O's fault finds the page in
/// the swap cache and gives the caller a copy.
final class SwapSharedMemory: AnonMemory, @unchecked Sendable {
  private let fork: ForkHazard
  private var shared: PagesUnderIO?
  /// Whether the child's pages are in the swap cache.
  private var areCached = false

  override init(pieces: Int, pieceLength: Int) throws(KernelError) {
    fork = try ForkHazard(.reads, depth: pieces)
    try super.init(pieces: pieces, pieceLength: pieceLength)
  }

  override var forks: Bool { true }

  override var sharer: Int32? { fork.pidOfChild }

  /// Not in deinit: the pages that the child is ended with hold this memory.
  override func leave() { endChild() }

  override func renew() throws(KernelError) {
    endChild()
    try super.renew()
  }

  override func enter(_ pages: PagesUnderIO) throws(KernelError) {
    try Swapping.out(pages)
    // Pages that stayed must not pass for such.
    guard try pages.entries().allSatisfy(\.isSwapped) else { return }
    _ = try fork.act(pages)
    shared = pages
    guard let sharer else { return }
    areCached = try pages.entries(in: PageMap(of: sharer)).allSatisfy {
      $0.frame.flatMap(PageFlags.of)?.isSwapCache == true
    }
  }

  override func prove(_ entries: [PageMapEntry], _ flags: PageFlags?) -> Proof {
    if !entries.allSatisfy(\.isSwapped) { return .missed("MADV_PAGEOUT left a page mapped") }
    return areCached
      ? .reached("pagemap: swap entries; kpageflags: the child's pages are in the swap cache")
      : .missed("kpageflags: the child's pages are not in the swap cache")
  }

  private func endChild() {
    if let shared { _ = try? fork.settle(shared) }
    shared = nil
    areCached = false
  }
}
