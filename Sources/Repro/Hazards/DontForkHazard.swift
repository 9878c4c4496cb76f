import Glibc

/// MADV_DONTFORK, then fork(2): the child has no page there, so nothing is shared, write-protected or
/// copied. The way out for those who fork during direct I/O, and for RDMA.
/// See ``drawing``.
/// MADV_DONTFORK is of 2.6.16 (f822566165dd); no release is known to break it.
final class DontForkHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard / store
                                                            madvise(buf, MADV_DONTFORK)
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
    act: """
      unsigned char there;
      pid_t child = fork();
      int status = -1;

      if (child < 0)
        END(ERROR, "fork: %m");
      if (child == 0) /* ENOMEM: nothing is mapped */
        _exit(mincore(buf, page_size, &there) == 0 || errno != ENOMEM);
      waitpid(child, &status, 0);
      if (status != 0)
        END(ERROR, "the child has the page");
      return true;
      """,
    settle: """
      if (madvise(buf, map_size, MADV_DOFORK) < 0)
        END(ERROR, "MADV_DOFORK: %m");
      """)

  private static let leavesOut = Guard(
    "fork-leaves-out", "the child had no page there, and the store kept the frame")

  private let fork: ForkHazard

  init(depth: Int) throws(KernelError) { fork = try ForkHazard(.exits, depth: depth) }

  func prepare(_ pages: PagesUnderIO) throws(KernelError) {
    for run in pages.runs { try advise(MADV_DONTFORK, "MADV_DONTFORK", run.start, run.length) }
  }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] { try fork.act(pages) }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    defer { for run in pages.runs { madvise(run.start, run.length, MADV_DOFORK) } }
    return try fork.settle(pages)
  }

  /// A child that has the page all the same asks what every fork asks.
  func asked(_ page: Observation, _ number: Int) -> Guard? {
    if fork.childEntries[number].isPresent { return fork.asked(page, number) }
    return page.keptFrame != false ? Self.leavesOut : nil
  }
}
