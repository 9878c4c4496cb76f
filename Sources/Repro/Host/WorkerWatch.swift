import CKernel
import CLibaio
import Glibc
import SystemPackage

/// The supervisor's side of its workers' lives: passes signals on, and sees to it that all end.
struct WorkerWatch {
  private var workers: [WatchedWorker]
  private var stopRequest: Int32?
  /// How the first one ended that was killed.
  private var failure: Supervisor.Ending?
  /// Whether the others were asked to stop because one had ended badly.
  private var isDisbanded = false

  /// Time that a worker has to end by itself after the first signal to stop, and to be gone after a kill.
  fileprivate static let grace = Clock.seconds(15)
  /// How often the workers' last words are looked at.
  private static let tick = Clock.seconds(1)

  /// - Parameters:
  ///   - children: of several, the first outlives the others.
  ///   - deadline: when they are killed.
  init(_ children: [(pid: pid_t, words: LastWords)], deadline: Nanoseconds) {
    workers = children.map { WatchedWorker($0.pid, $0.words, deadline: deadline) }
    if workers.count > 1 { workers[0].deadline = .max }
  }

  /// Watches until all have ended, or can't be ended.
  /// - Parameter watched: SIGCHLD and the signals to stop, all of them blocked.
  mutating func untilEnd(_ watched: inout sigset_t) -> Supervisor.End {
    while true {
      reap()
      let now = Clock.now
      for index in workers.indices {
        workers[index].press(now, isStopping: stopRequest != nil || isDisbanded)
      }
      noteFailures(now)
      if workers.allSatisfy({ $0.ending != nil }) { return end }
      if workers[0].deadline == .max, workers[1...].allSatisfy({ $0.ending != nil }) {
        workers[0].deadline = now + Self.grace
      }
      let next = workers.filter { $0.ending == nil }.map(\.deadline).min() ?? now
      let left = max(0, min(next - now, Self.tick))
      var information = siginfo_t()
      var wait = timespec(tv_sec: Int(left / 1_000_000_000), tv_nsec: Int(left % 1_000_000_000))
      let number = sigtimedwait(&watched, &information, &wait)
      guard number > 0, number != SIGCHLD else { continue }
      // si_code <= 0: sent by a process; the terminal's (SI_KERNEL) went to the children as well.
      ask(number != SIGINT || information.si_code <= 0 ? number : nil, now)
      stopRequest = stopRequest ?? number
    }
  }

  /// Gives the workers a last while, after `signal` if it must be sent.
  private mutating func ask(_ signal: Int32?, _ now: Nanoseconds) {
    for index in workers.indices where workers[index].ending == nil && (index > 0 || workers.count == 1) {
      if let signal { kill(workers[index].pid, signal) }
      workers[index].deadline = min(workers[index].deadline, now + Self.grace)
    }
  }

  /// Notes who was killed, and asks the others to stop once one has ended as it should not: they have come to
  /// nothing without it.
  private mutating func noteFailures(_ now: Nanoseconds) {
    var isBroken = false
    for (index, worker) in workers.enumerated() {
      guard let ending = worker.ending else { continue }
      if case .exited = ending {} else { failure = failure ?? ending }
      isBroken = isBroken || index == 0 || ending != .exited(0)
    }
    if isBroken, !isDisbanded, workers.count > 1 {
      isDisbanded = true
      ask(SIGTERM, now)
    }
  }

  private var end: Supervisor.End {
    // What somebody else than we asked for.
    let heard = isDisbanded ? nil : workers.map(\.words.stop).first { $0 != 0 }
    return Supervisor.End(
      ending: failure ?? workers[0].ending ?? .timedOut, stopRequest: stopRequest ?? heard,
      provedLoss: workers.contains { $0.words.provedLoss })
  }

  /// Reaps whatever has ended (an init process gets orphans too).
  private mutating func reap() {
    var status: Int32 = 0
    while true {
      let pid = waitpid(-1, &status, WNOHANG)
      if pid <= 0 { return }
      for index in workers.indices where workers[index].pid == pid && workers[index].ending == nil {
        workers[index].end(status)
      }
    }
  }
}

/// One worker, as its supervisor sees it.
private struct WatchedWorker {
  let pid: pid_t
  let words: LastWords
  var deadline: Nanoseconds
  /// Nil as long as it is there.
  private(set) var ending: Supervisor.Ending?
  private var timedOut = false
  /// Since when it should be gone.
  private var doomed: Nanoseconds?
  private var isAborted = false

  /// Time after which a worker that was killed waits for its own FUSE server, and for nothing else.
  private static let abortion = Clock.seconds(2)

  init(_ pid: pid_t, _ words: LastWords, deadline: Nanoseconds) {
    self.pid = pid
    self.words = words
    self.deadline = deadline
  }

  /// Ends it when its time is over, and what keeps it from ending.
  mutating func press(_ now: Nanoseconds, isStopping: Bool) {
    if ending != nil { return }
    if doomed == nil, words.signal != 0 || isZombie { doom(now) }
    if now >= deadline {
      // One that even SIGKILL does not end is left to the kernel; the host must be put back.
      if doomed != nil { return end(nil) }
      kill(pid, SIGKILL)
      timedOut = !isStopping
      doom(now)
    }
    if let doomed, !isAborted, now - doomed >= Self.abortion { abort() }
  }

  private mutating func doom(_ now: Nanoseconds) {
    doomed = now
    deadline = now + WorkerWatch.grace
  }

  /// - Parameter status: of waitpid(2), nil when the worker is still there.
  mutating func end(_ status: Int32?) {
    ending =
      if timedOut {
        .timedOut
      } else if let status, status & 0x7f == 0 {
        .exited(status >> 8 & 0xff)
      } else {
        .killed(signal: words.signal == 0 ? (status ?? SIGKILL) & 0x7f : words.signal)
      }
  }

  /// Whether its first thread is gone: somebody's SIGKILL leaves no last words.
  private var isZombie: Bool {
    ((try? KernelFile.read("/proc/\(pid)/stat")) ?? "").split(separator: ")").last?.hasPrefix(" Z") == true
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
