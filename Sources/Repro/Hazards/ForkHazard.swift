import CKernel
import Glibc
import SystemPackage

/// fork(2): the page becomes shared and write-protected, and the parent's next store gets a copy.
/// See ``drawing``.
/// Linux 5.9 copies pinned pages for the child at fork (70e806e4e645); the block layer's direct I/O
/// pins since 6.5 (a7e689dd1c06, 1ccf164ec866), and before that merely took references.
final class ForkHazard: Hazard, @unchecked Sendable {  // used by the trial's thread alone
  static let drawing = """
    reader                        kernel                       hazard / store
    read(fd, buf) ------------->  takes P1 behind buf
                                                               fork(): P1 shared, write-protected
                                                               store to buf: copy-on-write,
                                                               buf is P2, P1 is the child's
                                  I/O completes into P1
    verify: buf is P2: LOST READ, and the child (if alive) sees the data: LEAK
    """

  enum Child: CInt {
    case exits = 0
    case stays = 1
    case reads = 2
  }

  static func cFragment(_ role: Child) -> CFragment {
    switch role {
    case .exits:
      CFragment(
        includes: ["sys/wait.h"],
        act: """
          pid_t child = fork();

          if (child < 0)
            END(ERROR, "fork: %m");
          if (child == 0)
            _exit(0);
          waitpid(child, NULL, 0);
          return true;
          """)
    case .stays:
      lasting(
        settle: """
          end_child();
          """)
    case .reads:
      lasting(
        born: "\n  byte = *(volatile char *)buf; /* maps the page */",
        died: "memchr(buf, DATA, page_size) != NULL",
        settle: """
          if (end_child()) {
            printf("trial %d: LEAK: the child sees data that came after its birth\\n", number);
            good = false;
          }
          """)
    }
  }

  /// A child that lives until the parent closes its end of a line between them.
  private static func lasting(born: String = "", died: String = "0", settle: String) -> CFragment {
    CFragment(
      includes: ["sys/socket.h", "sys/wait.h"],
      globals: """
        static int line[2]; /* to the child, which lives until we close it */
        static pid_t child;

        static bool end_child(void)
        {
          int status = -1;

          close(line[0]);
          waitpid(child, &status, 0);
          if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
            END(ERROR, "the child failed");
          return WEXITSTATUS(status);
        }
        """,
      act: """
        char byte = 0;

        if (socketpair(AF_UNIX, SOCK_STREAM, 0, line) < 0 || (child = fork()) < 0)
          END(ERROR, "fork: %m");
        if (child == 0) {
          close(dev); /* or we would keep a dead parent's read waiting */
          close(line[0]);\(born)
          if (write(line[1], &byte, 1) != 1 || read(line[1], &byte, 1) != 0)
            _exit(2);
          _exit(\(died));
        }
        close(line[1]);
        if (read(line[0], &byte, 1) != 1)
          END(ERROR, "the child died");
        return true;
        """,
      settle: settle)
  }

  private let role: Child
  private let pageSize: Int
  /// Shared with the child: the board, and from the second page on its copy of the page.
  private let shared: UnsafeMutableRawPointer
  private var pid: pid_t = 0

  private var board: UnsafeMutablePointer<ck_child_board> {
    shared.assumingMemoryBound(to: ck_child_board.self)
  }
  private var copy: UnsafeMutableRawPointer { shared + pageSize }

  init(_ role: Child, pageSize: Int) throws(KernelError) {
    self.role = role
    self.pageSize = pageSize
    var at: UnsafeMutableRawPointer?
    try check(ck_map(2 * pageSize, 1, &at), "mmap shared with the child")
    guard let at else { throw KernelError("mmap shared with the child", .noMemory) }
    shared = at
  }

  deinit { munmap(shared, 2 * pageSize) }

  func act(_ page: PageUnderIO) throws(KernelError) -> HazardOutcome {
    ck_word_store(&board.pointee.ready, 0)
    ck_word_store(&board.pointee.go, 0)
    pid = try check(ck_fork_child(role.rawValue, board, page.address, copy, pageSize), "fork")
    page.timeline.mark(.hazard, "fork() returned child \(pid)")
    switch role {
    case .exits:
      // A race must not wait here until the child gets a CPU: the I/O would be over by then.
      if page.schedule == .staged { try reap(page) }
      return .applied(page.schedule == .staged ? "child forked and gone" : "child forked, exits at once")
    case .stays:
      return .applied("child forked and alive")
    case .reads:
      let deadline = Clock.now + page.patience
      while ck_word_load(&board.pointee.ready) == 0 {
        if Clock.now > deadline { throw KernelError("wait for the child to read the page", .timedOut) }
        _ = ck_word_wait(&board.pointee.ready, 0, deadline - Clock.now)
      }
      return .applied("child forked, read the page and is alive")
    }
  }

  func settle(_ page: PageUnderIO) throws(KernelError) -> [Damage] {
    guard pid > 0 else { return [] }
    ck_word_store(&board.pointee.go, 1)
    ck_word_wake(&board.pointee.go)
    try reap(page)
    page.timeline.mark(.hazard, "child gone")
    return role == .reads ? page.leak(copy) : []
  }

  private func reap(_ page: PageUnderIO) throws(KernelError) {
    let child = pid
    pid = 0
    var status: CInt = 0
    let result = ck_reap(child, page.patience, &status)
    if result < 0 { kill(child, SIGKILL) }
    try check(result, "wait for child \(child) to end")
    if status != 0 { throw KernelError("child \(child) ended with status \(status)", .noChildProcess) }
  }
}
