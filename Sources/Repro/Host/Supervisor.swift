import CKernel
import CLibaio
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

  /// Seconds that the work has to end by itself after the first signal to stop.
  private static let grace: Nanoseconds = Clock.seconds(15)

  /// Runs `work` in a child. SIGINT reaches it from the terminal by itself; SIGTERM and SIGHUP, and
  /// a SIGINT sent to this process alone, are passed on. Call it before any thread is made.
  /// - Parameter seconds: when the work is killed.
  public static func run(seconds: Double, _ work: () -> Int32) throws(KernelError) -> Ending {
    var watched = sigset_t()
    var before = sigset_t()
    sigemptyset(&watched)
    for signal in [SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT] { sigaddset(&watched, signal) }
    sigprocmask(SIG_BLOCK, &watched, &before)
    defer { sigprocmask(SIG_SETMASK, &before, nil) }

    signal(SIGCHLD, SIG_DFL)  // ignored, as some daemons leave it, children end unseen
    let parent = getpid()
    let child = try check(ck_fork(), "fork the worker")
    if child == 0 {
      ck_note_interrupts()
      signal(SIGPIPE, SIG_IGN)
      sigprocmask(SIG_UNBLOCK, &watched, nil)
      exit(ck_die_with_parent(parent) < 0 ? 2 : work())
    }
    return watch(child, &watched, deadline: Clock.now + Clock.seconds(seconds))
  }

  /// Runs `body`, during which signals to stop wait, but for those that ``run(seconds:_:)`` passes on:
  /// none may end the process between its first change of the host and the last one's undoing.
  static func shielded<Result>(_ body: () -> Result) -> Result {
    var stopping = sigset_t()
    var before = sigset_t()
    sigemptyset(&stopping)
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { sigaddset(&stopping, signal) }
    sigprocmask(SIG_BLOCK, &stopping, &before)
    defer { sigprocmask(SIG_SETMASK, &before, nil) }
    return body()
  }

  private static func watch(_ child: pid_t, _ watched: inout sigset_t, deadline: Nanoseconds) -> Ending {
    var deadline = deadline
    var isStopping = false
    var timedOut = false
    var isKilled = false
    while true {
      if let ending = reap(child) { return timedOut ? .timedOut : ending }
      let left = deadline - Clock.now
      if left <= 0 {
        // One that even SIGKILL does not end is left to the kernel; the host must be put back.
        if isKilled { return .timedOut }
        kill(child, SIGKILL)
        isKilled = true
        timedOut = !isStopping
        deadline = Clock.now + grace
        continue
      }
      var information = siginfo_t()
      var wait = timespec(tv_sec: Int(min(left / 1_000_000_000, 3600)), tv_nsec: Int(left % 1_000_000_000))
      let number = sigtimedwait(&watched, &information, &wait)
      guard number > 0, number != SIGCHLD else { continue }
      // si_code <= 0: sent by a process; the terminal's (SI_KERNEL) went to the child as well.
      if number != SIGINT || information.si_code <= 0 { kill(child, number) }
      isStopping = true
      deadline = min(deadline, Clock.now + grace)
    }
  }

  /// Reaps whatever has ended (an init process gets orphans too); the child's ending if it was that.
  private static func reap(_ child: pid_t) -> Ending? {
    var status: Int32 = 0
    while true {
      let pid = waitpid(-1, &status, WNOHANG)
      if pid <= 0 { return nil }
      if pid != child { continue }
      let signal = status & 0x7f
      return signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal: signal)
    }
  }
}
