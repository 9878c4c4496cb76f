import Glibc

/// MADV_DONTFORK or MADV_WIPEONFORK, then fork(2): the child does not get the page, so nothing is shared,
/// write-protected or copied. The former is the way out for those who fork during direct I/O, and for RDMA.
/// See ``drawing``.
/// MADV_DONTFORK is of 2.6.16 (f822566165dd), MADV_WIPEONFORK of 4.14 (d2cd9ede6e19); no release is known to
/// break them.
final class ForkAdviceHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard / store
                                                            MADV_DONTFORK or MADV_WIPEONFORK on buf
    read(fd, buf) ------------->  takes P1 behind buf
                                                            fork(): the child has nothing at buf
                                                            store to buf: no fault. Were P1 shared
                                                            all the same: copied, buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static let cFragment = CFragment(
    includes: ["sys/wait.h"],
    prepare: """
      if (madvise(buf, map_size, MADV_DONTFORK) < 0)
        END(ERROR, "MADV_DONTFORK: %m");
      """,
    act: inChild(
      fails: """
        mincore(buf, page_size, &there) == 0 || errno != ENOMEM); /* nothing there */
        """),
    settle: """
      if (madvise(buf, map_size, MADV_DOFORK) < 0)
        END(ERROR, "MADV_DOFORK: %m");
      """)

  /// The same with MADV_WIPEONFORK.
  static let cWipe = CFragment(
    includes: ["sys/wait.h"],
    prepare: """
      if (madvise(buf, map_size, MADV_WIPEONFORK) < 0)
        END(SKIPPED, "MADV_WIPEONFORK: %m; boot Linux 4.14 or later");
      """,
    act: inChild(
      fails: """
        (there = *(volatile unsigned char *)buf) != 0); /* zeros */
        """),
    settle: """
      if (madvise(buf, map_size, MADV_KEEPONFORK) < 0)
        END(ERROR, "MADV_KEEPONFORK: %m");
      """)

  private static func inChild(fails: String) -> String {
    """
    unsigned char there;
    pid_t child = fork();
    int status = -1;

    if (child < 0)
      END(ERROR, "fork: %m");
    if (child == 0)
      _exit(\(fails)
    waitpid(child, &status, 0);
    if (status != 0)
      END(ERROR, "the child has the page");
    return true;
    """
  }

  private static let leavesOut = Guard(
    "fork-leaves-out", "the child had no page there, and the store kept the frame")

  static let guards = [leavesOut] + ForkHazard.guards

  private let fork: ForkHazard
  private let advice: (on: CInt, off: CInt)

  /// - Parameter wipes: MADV_WIPEONFORK: the child has zeros there instead of nothing.
  init(depth: Int, wipes: Bool = false) throws(KernelError) {
    fork = try ForkHazard(.exits, depth: depth)
    advice = wipes ? (MADV_WIPEONFORK, MADV_KEEPONFORK) : (MADV_DONTFORK, MADV_DOFORK)
  }

  func prepare(_ pages: PagesUnderIO) throws(KernelError) {
    if !pages.memory.forks { try giveAdvice(pages) }
  }

  private func giveAdvice(_ pages: PagesUnderIO) throws(KernelError) {
    let name = advice.on == MADV_DONTFORK ? "MADV_DONTFORK" : "MADV_WIPEONFORK"
    // All of it: advice for a part would split the mapping, and with it a huge page.
    try advise(advice.on, name, pages.memory.base, pages.memory.length)
  }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    if pages.memory.forks { try giveAdvice(pages) }
    return try fork.act(pages)
  }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    defer { madvise(pages.memory.base, pages.memory.length, advice.off) }
    return try fork.settle(pages)
  }

  /// A child that has the page all the same asks what every fork asks.
  func asked(_ page: Observation, _ number: Int) -> Guard? {
    if fork.childEntries[number].isPresent { return fork.asked(page, number) }
    return page.keptFrame != false ? Self.leavesOut : nil
  }
}
