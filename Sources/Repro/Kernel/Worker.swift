import CKernel
import Synchronization

/// A thread that does one job after the other and answers each. Jobs don't fork: children lack its stack.
///
/// The jobs block in system calls or spin for as long as they want; who asks waits for the answer with
/// a limit, and may go on without it.
package final class Worker<Job: Sendable, Answer: Sendable>:
  @unchecked Sendable  // `thread` is set once in init
{
  private struct State {
    var job: Job?
    var answer: Answer?
    var isStopping = false
  }

  private let state = Mutex(State())
  private let requests = Gate()
  private let answers = Gate()
  private var thread: SystemThread?
  private var begun: UInt32 = 0

  /// - Parameters:
  ///   - begin: called first, on the thread; what it throws, this throws.
  ///   - end: called last, on the thread.
  ///   - work: does a job, on the thread.
  package init<Tool>(
    begin: @escaping @Sendable () throws(KernelError) -> Tool,
    end: @escaping @Sendable (Tool) -> Void = { _ in },
    work: @escaping @Sendable (Job, Tool) -> Answer
  ) throws(KernelError) {
    let ready = Gate()
    let failure = Mutex<KernelError?>(nil)
    thread = try SystemThread {
      ck_hide_stack(1)
      defer { ck_hide_stack(0) }
      do throws(KernelError) {
        let tool = try begin()
        ready.advance()
        self.serve(tool, work)
        end(tool)
      } catch {
        failure.withLock { $0 = error }
        ready.advance()
      }
    }
    while !ready.wait(until: 1, timeout: Clock.seconds(3600)) {}
    if let error = failure.withLock({ $0 }) {
      thread?.join()
      thread = nil
      throw error
    }
  }

  /// Whether no job is under way.
  var isIdle: Bool { answers.wait(until: begun, timeout: 0) }

  /// Starts a job. Call ``finish(timeout:)`` before the next.
  package func start(_ job: Job) {
    state.withLock {
      $0.job = job
      $0.answer = nil
    }
    begun = requests.advance()
  }

  /// The answer to the job that was started last, or nil when it is still under way after `timeout`
  /// nanoseconds.
  package func finish(timeout: Nanoseconds) -> Answer? {
    guard answers.wait(until: begun, timeout: timeout) else { return nil }
    return state.withLock { $0.answer }
  }

  /// Ends the thread. One that is still at a job is left there, and ends with it.
  package func stop() {
    state.withLock { $0.isStopping = true }
    let wasIdle = isIdle
    requests.advance()
    if wasIdle { thread?.join() } else { thread?.detach() }
    thread = nil
  }

  private func serve<Tool>(_ tool: Tool, _ work: (Job, Tool) -> Answer) {
    var served: UInt32 = 0
    while true {
      served &+= 1
      while !requests.wait(until: served, timeout: Clock.seconds(3600)) {}
      let (job, isStopping) = state.withLock { ($0.job, $0.isStopping) }
      guard !isStopping, let job else { return }
      let answer = work(job, tool)
      state.withLock { $0.answer = answer }
      answers.advance()
    }
  }
}
