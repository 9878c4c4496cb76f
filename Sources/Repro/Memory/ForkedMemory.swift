extension MemoryKind {
  /// A page that a child shares since before the I/O.
  public static let forked = MemoryKind(
    "forked", "private anonymous base pages that a living child shares", needs: [.pageFrames],
    traits: [.private, .swappable, .divisible, .mergeable, .anonymous], catalogued: ["anon"],
    maximumDepth: 256
  ) { pieces, length throws(KernelError) in try ForkedMemory(pieces: pieces, pieceLength: length) }
}

/// Anonymous base pages of which a child has a view until the memory is renewed. The I/O's fault gives the
/// caller a copy.
final class ForkedMemory: AnonMemory, @unchecked Sendable {
  private let fork: ForkHazard
  private var shared: PagesUnderIO?

  override init(pieces: Int, pieceLength: Int) throws(KernelError) {
    fork = try ForkHazard(.stays, depth: pieces)
    try super.init(pieces: pieces, pieceLength: pieceLength)
  }

  /// Not in deinit: the pages that the child is ended with hold this memory.
  override func leave() { endChild() }

  override func renew() throws(KernelError) {
    endChild()
    try super.renew()
  }

  override func enter(_ pages: PagesUnderIO) throws(KernelError) {
    _ = try fork.act(pages)
    shared = pages
  }

  override func prove(_ entries: [PageMapEntry], _ flags: PageFlags?) -> Proof {
    entries.allSatisfy { $0.isPresent && !$0.isFileOrShared && !$0.isExclusive } && flags?.isAnonymous == true
      ? .reached("pagemap: somebody else maps the anonymous page too") : .missed("the page is not shared")
  }

  private func endChild() {
    if let shared { _ = try? fork.settle(shared) }
    shared = nil
  }
}
