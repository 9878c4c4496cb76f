import ArgumentParser
import Repro

/// Runs `work` until it is done, or a signal to stop arrives: then the work is cancelled, which ends
/// its guests and removes their files.
/// - Throws: ExitCode of the dialect for the signal.
func interruptible<Result: Sendable>(
  _ exitCodes: ExitCodes, _ work: @escaping @Sendable () async throws -> Result
) async throws -> Result {
  Interrupts.note()
  return try await withThrowingTaskGroup(of: Result?.self) { group in
    group.addTask { try await work() }
    group.addTask {
      while Interrupts.signal == nil { try await Task.sleep(for: .milliseconds(50)) }
      return nil
    }
    defer { group.cancelAll() }
    if let result = try await group.next() ?? nil { return result }
    group.cancelAll()
    while let rest = try? await group.next() { if let result = rest { return result } }
    throw ExitCode(exitCodes.code(interruptedBy: Interrupts.signal ?? 2))
  }
}
