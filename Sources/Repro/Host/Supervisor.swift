import CKernel
import Glibc

/// Runs work in a child process and outlives it, so that a trap, a kill or a hang of the work
/// becomes an ending that the caller hears of, and somebody is left to put the host back.
public enum Supervisor {
  /// How the work ended.
  public enum Ending: Equatable, Sendable {
    /// It returned this exit code.
    case exited(Int32)
    /// A signal ended it: a bug of the harness, or somebody's kill; never corruption.
    case killed(signal: Int32)
    /// It was still running at the deadline, and was killed.
    case timedOut
  }

  /// How the work ended, and whether somebody had asked it to.
  public struct End: Equatable, Sendable {
    /// How it ended.
    public var ending: Ending
    /// The signal that asked, this process or the worker.
    public var stopRequest: Int32?
    /// Whether data was lost, and reported, before it ended.
    public var provedLoss = false
  }

  /// The signals that ask to stop.
  private static let stopSignals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]

  /// Runs `work` in a child. SIGINT reaches it from the terminal by itself; SIGTERM and SIGHUP, and
  /// a SIGINT sent to this process alone, are passed on.
  ///
  /// Call it on a process's only thread: another one would take the signals, and end the process.
  /// - Parameter seconds: when the work is killed.
  public static func run(seconds: Double, _ work: @escaping () -> Int32) throws(KernelError) -> End {
    try run(seconds: seconds, [work])
  }

  /// Runs each of `works` in a child of its own, all at once. When one ends badly, the others are asked to stop.
  /// - Parameters:
  ///   - works: of several, the first tells of the others and outlives them: it is not asked to stop, and how it
  ///     ends is how all end, unless one was killed.
  ///   - begun: called here when all of them run.
  static func run(
    seconds: Double, _ works: [() -> Int32], begun: () -> Void = {}
  ) throws(KernelError) -> End {
    var watched = set(of: stopSignals + [SIGCHLD])
    var before = sigset_t()
    sigprocmask(SIG_BLOCK, &watched, &before)
    defer { sigprocmask(SIG_SETMASK, &before, nil) }

    var words: [LastWords] = []
    defer { for one in words { one.unmap() } }
    for _ in works { words.append(try LastWords()) }
    signal(SIGCHLD, SIG_DFL)  // ignored, as some daemons leave it, children end unseen
    let parent = getpid()
    var children: [pid_t] = []
    // A worker has this process's handlers at first, and the Swift runtime's goes on after a crash's signal that
    // somebody sent.
    var watching = sigset_t()
    ck_block_crashes(&watching)
    for (work, words) in zip(works, words) {
      let child = ck_fork()
      if child == 0 {
        ck_note_interrupts()
        ck_one_heap()
        let isReady = words.noteCrashes() && ck_die_with_parent(parent) >= 0
        signal(SIGPIPE, SIG_IGN)
        sigprocmask(SIG_UNBLOCK, &watched, nil)
        exit(isReady ? work() : 2)
      }
      if child < 0 {
        for pid in children { kill(pid, SIGKILL) }
        for pid in children { waitpid(pid, nil, 0) }
      }
      children.append(try check(child, "fork the worker"))
    }
    sigprocmask(SIG_SETMASK, &watching, nil)
    begun()
    var watch = WorkerWatch(Array(zip(children, words)), deadline: Clock.now + Clock.seconds(seconds))
    return watch.untilEnd(&watched)
  }

  /// Runs `body`, during which signals to stop wait, but for those that ``run(seconds:_:)`` passes on:
  /// none may end the process between its first change of the host and the last one's undoing.
  static func shielded<Result>(_ body: () throws -> Result) rethrows -> Result {
    var stopping = set(of: stopSignals)
    var before = sigset_t()
    sigprocmask(SIG_BLOCK, &stopping, &before)
    defer { sigprocmask(SIG_SETMASK, &before, nil) }
    return try body()
  }

  /// The signal to stop that waits, in ``shielded(_:)``.
  static var pendingStop: Int32? {
    var pending = sigset_t()
    sigpending(&pending)
    return stopSignals.first { sigismember(&pending, $0) == 1 }
  }

  private static func set(of signals: [Int32]) -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    return set
  }
}
