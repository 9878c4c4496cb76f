import Repro

/// Guests of several kernels with one plan, some at a time.
public struct GuestPool: Sendable {
  /// How a kernel's guest went, or why there was none.
  public typealias Outcome = Result<GuestSession.Outcome, any Error>

  private let jobs: Int
  private let session: @Sendable (_ index: Int) throws -> GuestSession
  private let onEvent: @Sendable (_ index: Int, Event) -> Void

  /// - Parameters:
  ///   - jobs: guests at a time.
  ///   - onEvent: gets the events of each guest, with the place of its kernel in the list.
  ///   - session: describes the guest of a kernel, by its place in the list.
  public init(
    jobs: Int, onEvent: @escaping @Sendable (_ index: Int, Event) -> Void = { _, _ in },
    session: @escaping @Sendable (_ index: Int) throws -> GuestSession
  ) {
    self.jobs = jobs
    self.onEvent = onEvent
    self.session = session
  }

  /// Runs the guests of `kernels`.
  /// - Parameter onDone: called after each, with how many are done.
  /// - Returns: the outcomes by place in `kernels`; none for those that a cancelled task did not start.
  public func run(
    _ kernels: [String], onDone: @escaping @Sendable (_ kernel: String, _ count: Int) -> Void
  ) async -> [Int: Outcome] {
    await withTaskGroup(of: (Int, Outcome).self) { group in
      var outcomes: [Int: Outcome] = [:]
      var next = 0
      func start() {
        guard next < kernels.count, !Task.isCancelled else { return }
        let index = next
        next += 1
        group.addTask { (index, await attempt(index)) }
      }
      for _ in 0..<jobs { start() }
      for await (index, outcome) in group {
        outcomes[index] = outcome
        onDone(kernels[index], outcomes.count)
        start()
      }
      return outcomes
    }
  }

  private func attempt(_ index: Int) async -> Outcome {
    do {
      return .success(try await session(index).run { onEvent(index, $0) })
    } catch {
      return .failure(error)
    }
  }
}
