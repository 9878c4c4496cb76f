import Repro

extension GuestSession {
  /// Runs the guest, and `observer` sees its events, with progress, on the caller's task.
  /// - Parameter around: runs the work that it is given; may cancel it.
  public func run(
    _ observer: any Observer,
    around: @Sendable (_ work: @escaping @Sendable () async throws -> Outcome) async throws -> Outcome
  ) async throws -> Outcome {
    let (events, continuation) = AsyncStream<Event>.makeStream()
    async let outcome = around {
      defer { continuation.finish() }
      return try await run { continuation.yield($0) }
    }
    var done = 0.0
    var cases = 1.0
    for await event in events {
      if case .run(let start) = event { cases = Double(max(1, start.cases.count)) }
      observer.receive(event)
      if case .result(let result) = event {
        done += 1
        observer.progress(fraction: done / cases, case: result.case)
      }
    }
    return try await outcome
  }
}
