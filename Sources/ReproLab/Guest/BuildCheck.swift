import Foundation
import Repro
import Synchronization

/// Sees that a guest's program is of the same build as this one. Another may have other parts than the plan was made
/// of: it is ended as soon as it says so, and nothing of what it says counts.
final class BuildCheck: Sendable {
  private let executable: String
  private let isOther = Mutex(false)

  /// - Parameter executable: the guest's program.
  init(_ executable: String) { self.executable = executable }

  /// Boots the guest.
  /// - Returns: how it ended, which is ``GuestEnding/otherBuild(executable:)`` for one of another build.
  func report(_ run: GuestRun, _ onLine: @escaping @Sendable (String) -> Void) async throws -> GuestReport {
    let start = ContinuousClock.now
    let (news, teller) = AsyncStream<Void>.makeStream()
    return try await withThrowingTaskGroup(of: GuestReport?.self) { group in
      group.addTask { [self] in
        try await run.run { line in
          if self.isOver(line) { teller.yield() } else { onLine(line) }
        }
      }
      group.addTask {
        for await _ in news { break }
        return nil
      }
      for try await report in group {
        let other = GuestReport(
          ending: .otherBuild(executable: executable), seconds: (ContinuousClock.now - start) / .seconds(1))
        guard let report = isOther.withLock({ $0 }) ? other : report else { continue }
        group.cancelAll()
        return report
      }
      throw CancellationError()
    }
  }

  private func isOver(_ line: String) -> Bool {
    isOther.withLock { isOther in
      isOther = isOther || Self.beginsOther(line)
      return isOther
    }
  }

  /// Whether the line begins a run of a program whose suite is another than this one's, or that does not tell.
  static func beginsOther(_ line: String, than suite: String = SuiteFingerprint.own) -> Bool {
    // Not the whole event: its plan may have what this program does not know.
    struct Head: Decodable { let suite: String? }
    guard line.hasPrefix("{\"event\":\"run\"") else { return false }
    return (try? JSONDecoder().decode(Head.self, from: Data(line.utf8)))?.suite != suite
  }
}
