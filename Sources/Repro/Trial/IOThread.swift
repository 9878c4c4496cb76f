import CKernel
import Glibc
import Synchronization
import SystemPackage

/// The thread that issues a trial's I/O and waits in the kernel for its end.
///
/// It has its own descriptor table without the server's descriptors, and the engine and the target's
/// descriptor in it. When the process is killed while this thread waits for a held I/O, the other threads
/// die at once and close theirs; the kernel aborts the FUSE connection, and this thread's wait ends. With
/// a shared table it would wait for itself, in D state, for ever.
final class IOThread: Sendable {
  /// How an I/O went, in the thread's own time.
  struct Completion: Sendable {
    var result: Result<Int, KernelError>
    /// Just before it was issued.
    var started: Nanoseconds
    /// When issuing returned with the I/O in flight; nil for engines whose system call also waits.
    var submitted: Nanoseconds?
    var ended: Nanoseconds

    /// - Throws: the I/O's error, or TrialError.short.
    func requireAll(of transfer: Transfer) throws {
      let count = try result.get()
      if count != transfer.length { throw TrialError.short(count, of: transfer.length) }
    }
  }

  private enum Job: Sendable {
    case attach(Segment)
    case transfer(Transfer, Timeline)
    case awaitLine
    case detach
  }

  /// Where the thread waits, awake, until it is told what to issue, and when: how long it takes to wake up is no
  /// part of a race's offset.
  private final class StartLine: Sendable {
    private let arrivals = Gate()
    private let time = Atomic<Nanoseconds>(0)
    private let load = Mutex<(transfer: Transfer, timeline: Timeline)?>(nil)

    func reset() {
      arrivals.reset()
      load.withLock { $0 = nil }
      time.store(0, ordering: .releasing)
    }

    func awaitArrival(timeout: Nanoseconds) { _ = arrivals.wait(until: 1, timeout: timeout) }

    func go(_ transfer: Transfer, _ timeline: Timeline, at start: Nanoseconds) {
      load.withLock { $0 = (transfer, timeline) }
      time.store(start, ordering: .releasing)
    }

    /// Ends the wait with nothing to issue.
    func release() { time.store(.min, ordering: .releasing) }

    /// By the I/O's thread.
    /// - Returns: what to issue now; nil for nothing.
    func cross() -> (transfer: Transfer, timeline: Timeline)? {
      arrivals.advance()
      var start = time.load(ordering: .acquiring)
      var turns = 0
      while start == 0 {
        ck_relax(100)
        turns += 1
        // Who is to say may be waiting for this very CPU.
        if turns > 1000 { sched_yield() }
        start = time.load(ordering: .acquiring)
      }
      let load = load.withLock { $0 }
      Clock.spin(until: start)
      return load
    }
  }

  private let worker: Worker<Job, Completion>
  private let submissions: Gate
  private let line: StartLine
  private let isAsynchronous: Bool

  /// - Parameters:
  ///   - makeEngine: called on the thread, once it has a descriptor table of its own.
  ///   - open: the same, before.
  init(
    _ kind: EngineKind, depth: Int, makeEngine: @escaping @Sendable (Int) throws(KernelError) -> any Engine,
    open: @escaping @Sendable () throws(KernelError) -> Void
  ) throws(KernelError) {
    let submissions = Gate()
    let isAsynchronous = kind.traits.contains(.asynchronous)
    let line = StartLine()
    self.submissions = submissions
    self.line = line
    self.isAsynchronous = isAsynchronous
    worker = try Worker {
      () throws(KernelError) -> any Engine in
      try check(ck_unshare_files(), "unshare descriptors")
      try open()
      return try makeEngine(depth)
    } work: { job, engine in
      let started = Clock.now
      do throws(KernelError) {
        switch job {
        case .attach(let region):
          try engine.attach(region)
        case .detach:
          engine.detach()
        case .transfer(let transfer, let timeline):
          return Self.perform(transfer, timeline, engine, isAsynchronous ? submissions : nil)
        case .awaitLine:
          guard let (transfer, timeline) = line.cross() else { break }
          return Self.perform(transfer, timeline, engine, isAsynchronous ? submissions : nil)
        }
        return Completion(result: .success(0), started: started, ended: Clock.now)
      } catch {
        return Completion(result: .failure(error), started: started, ended: Clock.now)
      }
    }
  }

  /// Makes memory known to the kernel, where the engine does that.
  /// - Throws: KernelError, or TrialError.hung.
  func attach(_ region: Segment, patience: Nanoseconds) throws {
    worker.start(.attach(region))
    guard let done = worker.finish(timeout: patience) else { throw TrialError.hung }
    _ = try done.result.get()
  }

  /// Undoes ``attach(_:patience:)``.
  func detach(patience: Nanoseconds) {
    worker.start(.detach)
    _ = worker.finish(timeout: patience)
  }

  /// Starts an I/O. Call ``finish(timeout:)`` before the next.
  func start(_ transfer: Transfer, _ timeline: Timeline) {
    submissions.reset()
    worker.start(.transfer(transfer, timeline))
  }

  /// Calls the thread to the line, where it waits awake. ``go(_:_:at:)`` or ``leaveLine(timeout:)`` must follow.
  func callToLine() {
    submissions.reset()
    line.reset()
    worker.start(.awaitLine)
  }

  /// Returns when the thread that was called is at the line.
  func awaitAtLine(timeout: Nanoseconds) { line.awaitArrival(timeout: timeout) }

  /// Sends the thread at the line to issue an I/O at this time of ``Clock``, and not earlier.
  func go(_ transfer: Transfer, _ timeline: Timeline, at start: Nanoseconds) {
    line.go(transfer, timeline, at: start)
  }

  /// Sends the thread away from the line with nothing to do.
  func leaveLine(timeout: Nanoseconds) {
    line.release()
    _ = worker.finish(timeout: timeout)
  }

  /// Returns once an asynchronous engine has submitted all of the I/O, its pages taken; at once for others.
  /// - Returns: false when it had not in time.
  func awaitSubmission(timeout: Nanoseconds) -> Bool {
    !isAsynchronous || submissions.wait(until: 1, timeout: timeout)
  }

  /// Whether nothing that was started is still under way.
  var isIdle: Bool { worker.isIdle }

  /// The end of the I/O that was started last, or nil when it is still in flight after `timeout`.
  func finish(timeout: Nanoseconds) -> Completion? { worker.finish(timeout: timeout) }

  /// Ends the thread. One that is still in the kernel is left there: waiting for it would keep the
  /// target open, whose closing is what ends a held I/O.
  func stop() { worker.stop() }

  private static func perform(
    _ transfer: Transfer, _ timeline: Timeline, _ engine: any Engine, _ submissions: Gate?
  ) -> Completion {
    let started = Clock.now
    var submitted: Nanoseconds?
    var result: Result<Int, KernelError>
    do throws(KernelError) {
      try engine.issue(transfer)
      if let submissions {
        submitted = Clock.now
        submissions.advance()
      }
      result = .success(try engine.reap())
    } catch {
      result = .failure(error)
      _ = try? engine.reap()  // whatever part of it was submitted
    }
    let ended = Clock.now
    timeline.mark(.io, transfer.text, at: started)
    switch result {
    case .success(let count): timeline.mark(.io, "returned \(count)", at: ended)
    case .failure(let error): timeline.mark(.io, "failed: \(error)", at: ended)
    }
    return Completion(result: result, started: started, submitted: submitted, ended: ended)
  }
}
