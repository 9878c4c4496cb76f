import CKernel

/// The thread on another CPU that stores to the pages once it is told to, and until then stays on that CPU
/// with their translations in its TLB.
final class RemoteStorer: Sendable {
  /// What to store where; the first word of each place is stored to at once as it is, which loads the TLB.
  private struct Job: Sendable {
    nonisolated(unsafe) var places: [UnsafeMutableRawPointer]
    var words: [[UInt64]]
  }

  private let worker: Worker<Job, [Int]>
  private let ready = Gate()
  private let go = Gate()

  /// - Throws: KernelError when there is no other CPU.
  init() throws(KernelError) {
    let (ready, go) = (ready, go)
    worker = try Worker {
      () throws(KernelError) in
      try check(ck_go_to_other_cpu(), "sched_setaffinity to another CPU")
    } work: { job, _ in
      for place in job.places { ck_store64(place, ck_load64(place)) }
      ready.advance()
      ck_spin(go.address)
      var faults = ck_thread_faults()
      return zip(job.places, job.words).map { place, words in
        for (index, word) in words.enumerated() { ck_store64(place + 8 * index, word) }
        let now = ck_thread_faults()
        defer { faults = now }
        return now - faults
      }
    }
  }

  /// Gets ready to store `words` to `places`: returns once the other CPU has their translations.
  func arm(_ places: [UnsafeMutableRawPointer], _ words: [[UInt64]]) {
    ready.reset()
    go.reset()
    worker.start(Job(places: places, words: words))
    while !ready.wait(until: 1, timeout: Clock.seconds(3600)) {}
  }

  /// Lets it store.
  /// - Returns: the faults that it took, page by page; nil when it did not come back in time.
  func fire(timeout: Nanoseconds) -> [Int]? {
    go.advance()
    return worker.finish(timeout: timeout)
  }

  /// Lets an armed one go, whatever it stores, and ends the thread.
  func stop() {
    go.advance()
    worker.stop()
  }
}
