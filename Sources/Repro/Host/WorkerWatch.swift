import CKernel
import CLibaio
import Glibc
import SystemPackage

/// The supervisor's side of a worker's life: passes signals on, and sees to it that it ends.
struct WorkerWatch {
  private let child: pid_t
  private let words: LastWords
  private var deadline: Nanoseconds
  private var stopRequest: Int32?
  private var timedOut = false
  /// Since when the worker should be gone.
  private var doomed: Nanoseconds?
  private var isAborted = false

  /// Time that the worker has to end by itself after the first signal to stop, and to be gone after a kill.
  private static let grace = Clock.seconds(15)
  /// Time after which a worker that was killed waits for its own FUSE server, and for nothing else.
  private static let abortion = Clock.seconds(2)
  /// How often the worker's last words are looked at.
  private static let tick = Clock.seconds(1)

  /// - Parameter deadline: when the worker is killed.
  init(_ child: pid_t, _ words: LastWords, deadline: Nanoseconds) {
    self.child = child
    self.words = words
    self.deadline = deadline
  }

  /// Watches until the worker has ended, or can't be ended.
  /// - Parameter watched: SIGCHLD and the signals to stop, all of them blocked.
  mutating func untilEnd(_ watched: inout sigset_t) -> Supervisor.End {
    while true {
      if let status = reap() { return end(status) }
      let now = Clock.now
      if doomed == nil, words.signal != 0 || isZombie { doom(now) }
      if now >= deadline {
        // One that even SIGKILL does not end is left to the kernel; the host must be put back.
        if doomed != nil { return end(nil) }
        kill(child, SIGKILL)
        timedOut = stopRequest == nil
        doom(now)
      }
      if let doomed, !isAborted, now - doomed >= Self.abortion { abort() }
      let left = max(0, min(deadline - now, Self.tick))
      var information = siginfo_t()
      var wait = timespec(tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
      let number = sigtimedwait(&watched, &information, &wait)
      guard number > 0, number != SIGCHLD else { continue }
      // si_code <= 0: sent by a process; the terminal's (SI_KERNEL) went to the child as well.
      if number != SIGINT || information.si_code <= 0 { kill(child, number) }
      stopRequest = stopRequest ?? number
      deadline = min(deadline, now + Self.grace)
    }
  }

  private mutating func doom(_ now: Nanoseconds) {
    doomed = now
    deadline = now + Self.grace
  }

  /// - Parameter status: of waitpid(2), nil when the worker is still there.
  private func end(_ status: Int32?) -> Supervisor.End {
    let ending: Supervisor.Ending =
      if timedOut {
        .timedOut
      } else if let status, status & 0x7f == 0 {
        .exited(status >> 8 & 0xff)
      } else {
        .killed(signal: words.signal == 0 ? (status ?? SIGKILL) & 0x7f : words.signal)
      }
    return Supervisor.End(
      ending: ending, stopRequest: stopRequest ?? (words.stop == 0 ? nil : words.stop),
      provedLoss: words.provedLoss)
  }

  /// Reaps whatever has ended (an init process gets orphans too).
  /// - Returns: the worker's status if it was among them.
  private func reap() -> Int32? {
    var status: Int32 = 0
    while true {
      let pid = waitpid(-1, &status, WNOHANG)
      if pid <= 0 { return nil }
      if pid == child { return status }
    }
  }

  /// Whether its first thread is gone: somebody's SIGKILL leaves no last words.
  private var isZombie: Bool {
    ((try? KernelFile.read("/proc/\(child)/stat")) ?? "").split(separator: ")").last?.hasPrefix(" Z") == true
  }

  /// Ends what a worker that was killed still waits for: the answer of a server that was a part of it.
  private mutating func abort() {
    isAborted = true
    let connection = words.connection
    if connection == 0 { return }
    let result = ck_fuse_abort(connection)
    let done = result < 0 ? "could not be aborted: \(Errno(rawValue: -result))" : "was aborted"
    let text = "repro: the harness did not end when killed; its FUSE connection \(connection) \(done)\n"
    _ = text.utf8CString.withUnsafeBufferPointer { write(STDERR_FILENO, $0.baseAddress, $0.count - 1) }
  }
}

/// What the worker leaves, in memory that it shares with its supervisor.
struct LastWords {
  private let words: UnsafeMutablePointer<ck_last_words>

  init() throws(KernelError) {
    var at: UnsafeMutableRawPointer?
    try check(ck_map(MemoryLayout<ck_last_words>.size, 1, &at), "mmap shared with the worker")
    guard let at else { throw KernelError("mmap shared with the worker", .noMemory) }
    words = at.bindMemory(to: ck_last_words.self, capacity: 1)
  }

  func unmap() { munmap(words, MemoryLayout<ck_last_words>.size) }

  /// The signal of a crash, or 0.
  var signal: Int32 { Int32(bitPattern: ck_word_load(&words.pointee.signal)) }
  /// The request to stop that it noted last, or 0.
  var stop: Int32 { Int32(bitPattern: ck_word_load(&words.pointee.stop)) }
  /// Whether it had reported a loss.
  var provedLoss: Bool { ck_word_load(&words.pointee.proven) != 0 }
  /// The FUSE connection that it serves, or 0.
  var connection: UInt32 { ck_word_load(&words.pointee.connection) }

  /// In the worker: from now on it leaves some.
  func noteCrashes() -> Bool { ck_note_crashes(words) >= 0 }
}
