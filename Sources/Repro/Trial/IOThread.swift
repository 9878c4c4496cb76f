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
    case transfer(Transfer, Timeline, waits: Bool)
    case detach
  }

  /// Where the thread waits, awake, until it is told when to issue: how long it takes to wake up is no part
  /// of a race's offset.
  private final class StartLine: Sendable {
    private let arrivals = Gate()
    private let time = Atomic<Nanoseconds>(0)

    func reset() {
      arrivals.reset()
      time.store(0, ordering: .releasing)
    }

    func awaitArrival(timeout: Nanoseconds) { _ = arrivals.wait(until: 1, timeout: timeout) }
    func go(at start: Nanoseconds) { time.store(start, ordering: .releasing) }

    /// By the I/O's thread.
    func cross() {
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
      Clock.spin(until: start)
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
        case .transfer(let transfer, let timeline, let waits):
          if waits { line.cross() }
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
    worker.start(.transfer(transfer, timeline, waits: false))
  }

  /// Brings the thread to the line from which ``go(at:)``, which must follow, sends it to issue an I/O.
  func startAtLine(_ transfer: Transfer, _ timeline: Timeline, patience: Nanoseconds) {
    submissions.reset()
    line.reset()
    worker.start(.transfer(transfer, timeline, waits: true))
    line.awaitArrival(timeout: patience)
  }

  /// The I/O at the line is issued at this time of ``Clock``, and not earlier.
  func go(at start: Nanoseconds) { line.go(at: start) }

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
