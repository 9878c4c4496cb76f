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
    case writes = 3
  }

  static let guards = [copies, .writeFaultReuses]
  static let copies = Guard(
    "fork-copies-pinned", "fork gave the child a copy at once: another frame in its page tables")

  static let guardsOfChildStore = [copies, childIsCopied]
  private static let childIsCopied = Guard(
    "child-store-copies", "the child's store to the shared page left the parent its frame")

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
    case .writes:
      lasting(
        born: "\n  *(volatile char *)(buf + page_size - 1) = 0; /* gets a page of its own */",
        touch: "/* nobody: it is the child that stores */",
        settle: """
          end_child();
          """)
    case .reads:
      lasting(
        born: "\n  byte = *(volatile char *)buf; /* maps the page */",
        died: "memchr(buf, DATA, page_size) != NULL",
        settle: """
          if (end_child()) {
            damage = (struct damage){
              "leaked to child", "child", "second", 0, 1, FILL, DATA };
            good = false;
          }
          """)
    }
  }

  /// A child that stays, and a second direct read into another part of the page.
  static let cSecondRead: CFragment = {
    var fragment = cFragment(.stays)
    fragment.globals +=
      "\n\n" + """
        static sem_t go_second, done_second;
        """
    fragment.toucher = """
      static void *second_reader(void *unused)
      {
        size_t size = STORE_END - STORE_START;
        int fd;

        if (unshare(CLONE_FILES) < 0 || close(dev) < 0 ||
            (fd = open(file, O_RDONLY | O_DIRECT)) < 0)
          END(ERROR, "open the held file again: %m");
        while (sem_wait(&go_second) == 0 &&
               pread(fd, buf + STORE_START, size, STORE_START) > 0)
          sem_post(&done_second);
        END(ERROR, "the second read: %m");
        return unused;
      }
      """
    fragment.touch = """
      static pthread_t second;

      if (!second && pthread_create(&second, NULL, second_reader, NULL))
        END(ERROR, "start the second reader");
      sem_post(&go_second);
      reply(hold_read(STORE_START, STORE_END - STORE_START), 0, data, STORE_END - STORE_START);
      sem_wait(&done_second);
      """
    return fragment
  }()

  /// A child that stays, and a store by the kernel for another process.
  static func cPoke(throughMem: Bool) -> CFragment {
    var fragment = cFragment(.stays)
    let poke =
      throughMem
      ? """
      int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

      memset(bytes, STORE, sizeof(bytes));
      if (pwrite(mem, bytes, sizeof(bytes), (size_t)(buf + STORE_START)) < 0)
        END(ERROR, "write to /proc/self/mem: %m");
      close(mem);
      """
      : """
      struct iovec own = { bytes, sizeof(bytes) };
      struct iovec there = { buf + STORE_START, sizeof(bytes) };

      memset(bytes, STORE, sizeof(bytes));
      if (process_vm_writev(getpid(), &own, 1, &there, 1, 0) < 0)
        END(ERROR, "process_vm_writev: %m");
      """
    fragment.touch = "unsigned char bytes[STORE_END - STORE_START];\n" + poke
    return fragment
  }

  /// A child that stays, and a store by a thread on another CPU, with a TLB entry from before.
  static let cRemoteStore: CFragment = {
    var fragment = lasting(
      first: """
        loaded = fire = 0;
        if (pthread_create(&remote, NULL, remote_store, (void *)(long)!sched_getcpu()))
          END(ERROR, "start the storing thread");
        while (!loaded)
          ;

        """,
      settle: """
        end_child();
        """)
    fragment.globals +=
      "\n\n" + """
        static volatile int loaded, fire;
        static pthread_t remote;

        static void *remote_store(void *cpu) /* one that the others are not on */
        {
          cpu_set_t other;

          CPU_ZERO(&other);
          CPU_SET((long)cpu, &other);
          if (sched_setaffinity(0, sizeof(other), &other) < 0)
            END(SKIPPED, "no other CPU: %m");
          ((volatile unsigned char *)buf)[STORE_START] = FILL; /* now its TLB has the page */
          for (loaded = 1; !fire;)
            ;
          \(CFragment.store.split(separator: "\n").joined(separator: "\n  "))
          return NULL;
        }
        """
    fragment.touch = """
      if (remote) {
        fire = 1;
        pthread_join(remote, NULL);
        remote = 0;
      } else { /* the controls */
        \(CFragment.store.split(separator: "\n").joined(separator: "\n  "))
      }
      """
    return fragment
  }()

  /// A child that lives until the parent closes its end of a line between them.
  private static func lasting(
    first: String = "", born: String = "", died: String = "0", touch: String = "", settle: String
  ) -> CFragment {
    CFragment(
      includes: ["sys/socket.h", "sys/wait.h"],
      globals: """
        static int line[2], status; /* to the child, which lives until we close it; its end */
        static pid_t child;

        static bool end_child(void)
        {
          close(line[0]);
          waitpid(child, &status, 0);
          if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
            END(ERROR, "the child failed");
          return WEXITSTATUS(status);
        }
        """,
      act: """
        char byte = 0;

        \(first)if (socketpair(AF_UNIX, SOCK_STREAM, 0, line) < 0 || (child = fork()) < 0)
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
      touch: touch, settle: settle)
  }

  let concernsProcess = true
  private let role: Child
  private let depth: Int
  /// Shared with the child: the board, its pagemap entries, and its copies of the pages.
  private let shared: UnsafeMutableRawPointer
  private let length: Int
  private let copiesStart: Int
  private var pid: pid_t = 0
  /// What the child's page tables had for each page when it was born; told by ``settle(_:)``.
  private(set) var childEntries: [PageMapEntry]

  /// The child, while it lives.
  var pidOfChild: Int32? { pid > 0 ? pid : nil }

  private var board: UnsafeMutablePointer<ck_child_board> {
    shared.assumingMemoryBound(to: ck_child_board.self)
  }
  private var entries: UnsafeMutablePointer<UInt64> {
    (shared + MemoryLayout<ck_child_board>.stride).assumingMemoryBound(to: UInt64.self)
  }
  private var copies: UnsafeMutableRawPointer { shared + copiesStart }

  init(_ role: Child, depth: Int) throws(KernelError) {
    self.role = role
    self.depth = depth
    childEntries = Array(repeating: PageMapEntry(raw: 0), count: depth)
    let head = MemoryLayout<ck_child_board>.stride + depth * 8
    copiesStart = (head + kernelPageSize - 1) / kernelPageSize * kernelPageSize
    length = copiesStart + (role == .reads ? depth * kernelPageSize : 0)
    var at: UnsafeMutableRawPointer?
    try check(ck_map(length, 1, &at), "mmap shared with the child")
    guard let at else { throw KernelError("mmap shared with the child", .noMemory) }
    shared = at
  }

  deinit { munmap(shared, length) }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    ck_word_store(&board.pointee.ready, 0)
    ck_word_store(&board.pointee.go, 0)
    for page in 0..<depth { entries[page] = 0 }
    var told = pages.forChild
    pid = try check(ck_fork_child(role.rawValue, board, &told, entries, copies), "fork")
    pages.timeline.mark(.hazard, "fork() returned child \(pid)")
    switch role {
    case .exits:
      // A race must not wait here until the child gets a CPU: the I/O would be over by then.
      if pages.schedule == .staged { try reap(pages) }
      return [.applied(pages.schedule == .staged ? "child forked and gone" : "child forked, exits at once")]
    case .stays:
      // Its frames must be told before a store replaces ours; a race goes on without waiting.
      if pages.schedule == .staged { try awaitChild(pages, "tell its frames") }
      return [.applied("child forked and alive")]
    case .reads:
      try awaitChild(pages, "read the page")
      return [.applied("child forked, read the page and is alive")]
    case .writes:
      try awaitChild(pages, "write to the page")
      return [.applied("child forked, wrote to the page and is alive")]
    }
  }

  private func awaitChild(_ pages: PagesUnderIO, _ what: String) throws(KernelError) {
    let deadline = Clock.now + pages.patience
    while ck_word_load(&board.pointee.ready) == 0 {
      if Clock.now > deadline { throw KernelError("wait for the child to \(what)", .timedOut) }
      _ = ck_word_wait(&board.pointee.ready, 0, deadline - Clock.now)
    }
  }

  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] {
    guard pid > 0 || role == .exits else { return [] }
    if pid > 0 {
      ck_word_store(&board.pointee.go, 1)
      ck_word_wake(&board.pointee.go)
      try reap(pages)
      pages.timeline.mark(.hazard, "child gone")
    }
    for page in 0..<depth { childEntries[page] = PageMapEntry(raw: entries[page]) }
    return role == .reads ? (0..<depth).map { View(page: $0, copy: copies + $0 * pages.size) } : []
  }

  /// A child with another frame got a copy at once, since fork saw the page as pinned. With the same frame
  /// the page was shared, and what asks is the store's write fault. Where frames are hidden, a store that
  /// took no fault tells that the page was not shared.
  func asked(_ page: Observation, _ number: Int) -> Guard? {
    if let parent = page.arrival?.frame, let child = childEntries[number].frame {
      if child != parent { return Self.copies }
    } else if page.arrival?.frame == nil, role != .writes, page.faults == 0 {
      return Self.copies
    }
    if role == .writes { return page.keptFrame == true ? Self.childIsCopied : nil }
    return page.faults > 0 && page.keptFrame != false ? .writeFaultReuses : nil
  }

  private func reap(_ pages: PagesUnderIO) throws(KernelError) {
    let child = pid
    pid = 0
    var status: CInt = 0
    let result = ck_reap(child, pages.patience, &status)
    if result < 0 { kill(child, SIGKILL) }
    try check(result, "wait for child \(child) to end")
    if status != 0 { throw KernelError("child \(child) ended with status \(status)", .noChildProcess) }
  }
}
