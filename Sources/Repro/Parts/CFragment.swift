/// A part in C, for the programs that ``CExport`` composes; each stands beside its Swift counterpart.
///
/// The text is indented by two blanks a level, which become tabs. It may use what
/// `fixtures/export/skeleton.c.in` declares before the place that it fills.
protocol CPart: Sendable {
  /// Headers that the skeleton does not include.
  var includes: [String] { get }
  /// Declarations and functions.
  var globals: String { get }
  /// Statements that run once: they skip what this machine can't do, and make ready.
  var setUp: String { get }
}

/// A hazard in C.
struct CFragment: CPart {
  var includes: [String] = []
  var globals = ""
  var setUp = ""
  /// Statements before the page is filled.
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

  /// `static void stay_on_cpu(void)`, for the globals of hazards that ask something of the LRU.
  static let stayOnCPU = """
    /* A new page waits in a list of its CPU, and madvise on another one does not find it there. */
    static void stay_on_cpu(void)
    {
      cpu_set_t here;

      CPU_ZERO(&here);
      CPU_SET(sched_getcpu(), &here);
      if (sched_setaffinity(0, sizeof(here), &here) < 0)
        END(ERROR, "sched_setaffinity: %m");
    }
    """
}

/// A memory in C: what stands behind `buf`. The positive control is made of it: user space renews the page
/// and copies the bytes.
struct CMemory: CPart {
  var includes: [String] = []
  var globals = ""
  var setUp = ""
  /// Body of `static size_t size_of_map(void)`: bytes of what `renew` maps.
  var mapSize = "return page_size;"
  /// Statements that map a fresh page over `buf`.
  var renew: String
  /// Statements after the fill, which end the program if the state was not reached.
  var prove = ""

  /// Statements that map private anonymous memory over `buf`.
  static let mapAnonymous = """
    if (mmap(buf, map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
        -1, 0) == MAP_FAILED)
      END(ERROR, "mmap: %m");
    """
}

/// An engine in C.
struct CEngine: CPart {
  var includes: [String] = []
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
  var globals = ""
  var setUp = ""
  /// Body of `static int open_target(int file)`: makes of the held file what is read.
  var open: String
  /// Whether the read is held by the fault of its last page, and not by FUSE.
  var holdsByFault = false
}
