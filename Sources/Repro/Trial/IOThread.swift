import CKernel
import Glibc
import Synchronization
import SystemPackage

/// The thread that issues a trial's I/O and waits in the kernel for its end.
///
/// It has its own descriptor table without the server's descriptors. When the process is killed
/// while this thread waits for a held I/O, the other threads die at once and close theirs; the
/// kernel aborts the FUSE connection, and this thread's wait ends. With a shared table it would
/// wait for itself, in D state, for ever.
final class IOThread: @unchecked Sendable {  // `thread` is set once in init
  /// How an I/O went, in the thread's own time.
  struct Completion: Sendable {
    var result: Result<Int, KernelError>
    var started: Nanoseconds
    var ended: Nanoseconds

    /// - Throws: the I/O's error, or TrialError.short.
    func requireAll(of transfer: Transfer) throws {
      let count = try result.get()
      if count != transfer.length { throw TrialError.short(count, of: transfer.length) }
    }
  }

  private struct State {
    var work: (transfer: Transfer, timeline: Timeline, notBefore: Nanoseconds)?
    var completion: Completion?
    var stopping = false
  }

  private let engine: any Engine
  private let state = Mutex(State())
  private let requests = Gate()
  private let completions = Gate()
  private var thread: SystemThread?
  private var begun: UInt32 = 0

  /// - Parameter open: called on the thread, once it has a descriptor table of its own.
  init(engine: any Engine, open: @escaping @Sendable () throws(KernelError) -> Void) throws(KernelError) {
    self.engine = engine
    let ready = Gate()
    let failure = Mutex<KernelError?>(nil)
    thread = try SystemThread {
      do throws(KernelError) {
        try check(ck_unshare_files(), "unshare descriptors")
        try open()
      } catch {
        failure.withLock { $0 = error }
      }
      ready.advance()
      self.serve()
    }
    _ = ready.wait(until: 1, timeout: .max / 2)
    if let error = failure.withLock({ $0 }) {
      stop()
      throw error
    }
  }

  /// Starts an I/O. Call ``finish(timeout:)`` before the next.
  /// - Parameter notBefore: issue it at this time of ``Clock``, not earlier.
  func start(_ transfer: Transfer, _ timeline: Timeline, notBefore: Nanoseconds = 0) {
    state.withLock { $0.work = (transfer, timeline, notBefore) }
    begun = requests.advance()
  }

  /// The end of the I/O that was started last, or nil when it is still in flight after `timeout`.
  func finish(timeout: Nanoseconds) -> Completion? {
    guard completions.wait(until: begun, timeout: timeout) else { return nil }
    return state.withLock { $0.completion }
  }

  /// Ends the thread. One that is still in the kernel is left there: waiting for it would keep the
  /// target open, whose closing is what ends a held I/O.
  func stop() {
    state.withLock { $0.stopping = true }
    requests.advance()
    if finish(timeout: 0) != nil || begun == 0 { thread?.join() }
    thread = nil
  }

  private func serve() {
    var served: UInt32 = 0
    while true {
      served &+= 1
      while !requests.wait(until: served, timeout: Clock.seconds(3600)) {}
      let (work, stopping) = state.withLock { ($0.work, $0.stopping) }
      guard !stopping, let work else { return }
      let completion = perform(work.transfer, work.timeline, notBefore: work.notBefore)
      state.withLock { $0.completion = completion }
      completions.advance()
    }
  }

  private func perform(_ transfer: Transfer, _ timeline: Timeline, notBefore: Nanoseconds) -> Completion {
    Clock.spin(until: notBefore)
    let started = Clock.now
    let result: Result<Int, KernelError>
    do throws(KernelError) {
      result = .success(try engine.perform(transfer))
    } catch {
      result = .failure(error)
    }
    let ended = Clock.now
    let what = "\(transfer.direction) \(transfer.length) bytes at \(transfer.offset)"
    timeline.mark(.io, what, at: started)
    timeline.mark(.io, result.map { "returned \($0)" }.description, at: ended)
    return Completion(result: result, started: started, ended: ended)
  }
}

extension Result<String, KernelError> {
  fileprivate var description: String {
    switch self {
    case .success(let text): text
    case .failure(let error): "failed: \(error)"
    }
  }
}
