/// A part in C, for the programs that ``CExport`` composes; each stands beside its Swift counterpart.
///
/// The text is indented by two blanks a level, which become tabs. It may use what
/// `fixtures/export/skeleton.c.in` declares before the place that it fills.
protocol CPart: Sendable {
  /// Headers that the skeleton does not include.
  var includes: [String] { get }
  /// Functions that other parts of the same program may use too: each is written once, before all `globals`.
  var uses: [String] { get }
  /// Declarations and functions.
  var globals: String { get }
  /// Statements that run once: they skip what this machine can't do, and make ready.
  var setUp: String { get }
}

/// A hazard in C.
struct CFragment: CPart {
  var includes: [String] = []
  var uses: [String] = []
  var globals = ""
  var setUp = ""
  /// Statements before the I/O, when the page holds its fill.
  var prepare = ""
  /// Body of the function that does it while the I/O is in flight: `true` when the kernel did it,
  /// `false` when it refused.
  var act: String
  /// Functions that `touch` needs, which may use the skeleton's.
  var toucher = ""
  /// Statements after the hazard that touch the page; empty for the store by this thread.
  var touch = ""
  /// Statements after the I/O that undo it, after which the page is looked at again.
  var settle = ""
  /// Whether the kernel may refuse. Then the same is tried on the same page without I/O: what is
  /// refused both times shows nothing.
  var canBeRefused = false
  /// Why a hazard that is never refused may ask nothing, in words: then `act` says `false`, and trials
  /// of which none asked anything skip the case. Empty where every trial asks.
  var unasked = ""
  /// Statements at the start of `main`, for a program that a hazard starts: itself.
  var begin = ""

  /// Whether the hazard is all in `act`, so that a thread may do it again and again.
  var isFreeRunning: Bool {
    [prepare, toucher, touch, settle, setUp, unasked, begin].allSatisfy(\.isEmpty) && !canBeRefused
  }
}

extension CFragment {
  /// The usual toucher.
  static let store = """
    for (int i = STORE_START; i < STORE_END; i++)
      ((volatile unsigned char *)buf)[i] = STORE;
    """

  /// `static bool NAME(void)` with that body, for fragments made of others.
  static func function(_ name: String, _ body: String) -> String {
    "static bool \(name)(void)\n{\n"
      + body.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "" : "  \($0)" }
      .joined(separator: "\n") + "\n}"
  }

  /// `static bool store_faults(void)`: the store that asks whether a page that was write-protected is reused.
  static let storeFaults = """
    /* The first store to the page; whether it took a write fault, without which nothing is asked. */
    static bool store_faults(void)
    {
      struct rusage before, after;

      getrusage(RUSAGE_THREAD, &before);
      *(volatile unsigned char *)(buf + STORE_START) = STORE;
      getrusage(RUSAGE_THREAD, &after);
      return after.ru_minflt != before.ru_minflt;
    }
    """
  static let noFault = "and no write fault followed"
}

/// A memory in C: what stands behind `buf`. The positive control is made of it: user space renews the page
/// and copies the bytes.
struct CMemory: CPart {
  var includes: [String] = []
  var uses: [String] = []
  var globals = ""
  var setUp = ""
  /// Body of `static size_t size_of_map(void)`: bytes of what `renew` maps. Empty where that is a base page.
  var mapSize = ""
  /// Statements that map a fresh page over `buf`.
  var renew: String
  /// The byte that the page holds before the read.
  var fill = "0xf1"
  /// The statement that fills it; empty for a page that nobody stores to.
  var store = "memset(buf, FILL, page_size);"
  /// Statements that bring the filled page into its state, after the hazard's `prepare`.
  var enter = ""
  /// Statements after that, which end the program if the state was not reached.
  var prove = ""

  /// Statements that map private anonymous memory over `buf`.
  static let mapAnonymous = """
    if (mmap(buf, map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
        -1, 0) == MAP_FAILED)
      END(ERROR, "mmap: %m");
    """

  /// Statements that end the program unless `what` of a page's flags is so; `flags` are kpageflags' word.
  static func prove(_ what: String, _ missed: String) -> String {
    """
    if (access("/proc/kpageflags", R_OK) == 0 &&
        !(\(what)))
      END(SKIPPED, "\(missed), says /proc/kpageflags");
    """
  }
}

/// An engine in C.
struct CEngine: CPart {
  var includes: [String] = []
  var uses: [String] = []
  var globals = ""
  var setUp = ""
  /// Body of `static long read_direct(int fd)`: reads IO_END bytes at 0 into `buf`. For an engine that
  /// registers memory, a line `@registered@` stands where it has done so.
  var read: String
  /// For engines of one system call: an expression that reads into two `parts`, for targets that hold by
  /// the fault of the last page. Empty for others.
  var vectored = ""
}

/// A target in C.
struct CTarget: CPart {
  var includes: [String] = []
  var uses: [String] = []
  var globals = ""
  var setUp = ""
  /// Body of `static int open_target(int file)`: makes of the held file what is read. Empty where it is that file.
  var open = ""
  /// Whether the read is held by the fault of its last page, and not by FUSE.
  var holdsByFault = false
}
