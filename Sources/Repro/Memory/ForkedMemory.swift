extension MemoryKind {
  /// A page that a child shares since before the I/O.
  public static let forked = MemoryKind(
    "forked", "private anonymous base pages that a living child shares", needs: [.pageFrames],
    traits: [.private, .swappable, .divisible, .mergeable, .anonymous], catalogued: ["anon"],
    maximumDepth: 256,
    isState: true, c: ForkedMemory.cForked
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

  override var forks: Bool { true }

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

  static let cForked: CMemory = {
    var memory = CMemory.anon(
      includes: ["sys/socket.h", "sys/wait.h"],
      globals: """
        static int sharer_line[2]; /* to a child that has the page too, until we close it */
        static pid_t sharer;

        static void share_page(void)
        {
          char byte = 0;

          if (socketpair(AF_UNIX, SOCK_STREAM, 0, sharer_line) < 0 || (sharer = fork()) < 0)
            END(ERROR, "fork: %m");
          if (sharer == 0) {
            close(dev); /* or we would keep a dead parent's read waiting */
            close(sharer_line[0]);
            _exit(write(sharer_line[1], &byte, 1) != 1 || read(sharer_line[1], &byte, 1) != 0);
          }
          close(sharer_line[1]);
          if (read(sharer_line[0], &byte, 1) != 1)
            END(ERROR, "the child died");
        }

        static void end_sharer(void)
        {
          if (sharer && close(sharer_line[0]) == 0)
            waitpid(sharer, NULL, 0);
          sharer = 0;
        }
        """,
      enter: """
        share_page();
        """,
      prove: """
        if (pagemap(buf) >> 56 & 1)
          END(SKIPPED, "the page is not shared, says /proc/self/pagemap");
        """)
    memory.renew = "end_sharer();\n" + memory.renew
    return memory
  }()

  private func endChild() {
    if let shared { _ = try? fork.settle(shared) }
    shared = nil
  }
}
