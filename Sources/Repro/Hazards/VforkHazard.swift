import CKernel

/// vfork(2), or posix_spawn(3) of a program: the child borrows the address space, nothing is shared by copy
/// or write-protected. What to use instead of fork during direct I/O.
/// See ``drawing``.
final class VforkHazard: Hazard, Sendable {
  static let drawing = """
    reader                        kernel                    hazard / store
    read(fd, buf) ------------->  takes P1 behind buf
                                                            vfork() or posix_spawn(): the child runs
                                                            in this address space until it is gone
                                                            or execs
                                                            store to buf: no fault. Were P1 shared
                                                            all the same: copied, buf is P2
                                  I/O completes into P1
    verify: buf is P2: LOST READ
    """

  static func cFragment(spawns: Bool) -> CFragment {
    spawns
      ? CFragment(
        includes: ["spawn.h", "sys/wait.h"],
        act: """
          char *const arguments[] = { "child", NULL }, *const nothing[] = { NULL };
          pid_t child;
          int status;

          errno = posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, nothing);
          if (errno)
            END(ERROR, "posix_spawn this program: %m");
          waitpid(child, &status, 0);
          if (status)
            END(ERROR, "the child failed");
          return true;
          """,
        begin: """
          if (strcmp(argv[0], "child") == 0)
            return 0;
          """)
      : CFragment(
        includes: ["sys/wait.h"],
        act: """
          pid_t child = vfork();

          if (child == 0)
            _exit(0);
          if (child < 0)
            END(ERROR, "vfork: %m");
          waitpid(child, NULL, 0);
          return true;
          """)
  }

  static let guards = [shares]
  private static let shares = Guard(
    "vfork-shares-nothing", "the child was there and gone, and the store took no fault and kept the frame")
  private let spawns: Bool

  init(spawns: Bool) { self.spawns = spawns }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    try check(spawns ? ck_spawn() : ck_vfork(), spawns ? "posix_spawn" : "vfork")
    return [.applied(spawns ? "a program was spawned and is gone" : "a child of vfork was here and is gone")]
  }

  func asked(_ page: Observation, _ number: Int) -> Guard? {
    page.faults == 0 && page.keptFrame != false ? Self.shares : nil
  }
}
