import CKernel

/// The thread of the race that stores to one word of each page, over and over, until it is stopped.
final class Storer: Sendable {
  /// What to store where.
  private struct Job: Sendable {
    nonisolated(unsafe) var first: UnsafeMutableRawPointer
    var stride: Int
    var places: Int
    var values: [UInt64]
    var rounds: Int
  }

  private let worker: Worker<Job, UInt64>
  private let stops: Gate

  init() throws(KernelError) {
    let stops = Gate()
    self.stops = stops
    worker = try Worker {
      () throws(KernelError) in
    } work: { job, _ in
      job.values.withUnsafeBufferPointer {
        ck_store_until(
          job.first, job.stride, UInt32(job.places), $0.baseAddress, UInt32(job.rounds), stops.address)
      }
    }
  }

  /// Starts storing to `places` words, `stride` bytes apart: `rounds` values each, in turn.
  /// - Parameter values: the first place's rounds, then the second one's, ...
  func start(
    _ first: UnsafeMutableRawPointer, stride: Int, places: Int, _ values: [UInt64], rounds: Int
  ) {
    stops.reset()
    worker.start(Job(first: first, stride: stride, places: places, values: values, rounds: rounds))
  }

  /// Stops storing.
  /// - Returns: how many stores were made; at least one a place. See ``ck_store_until``.
  func finish() -> UInt64 {
    stops.advance()
    while true {
      if let stores = worker.finish(timeout: Clock.seconds(3600)) { return stores }
    }
  }

  func stop() { worker.stop() }
}
