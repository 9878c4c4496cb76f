import Foundation
import Repro

/// What a kernel's run came to: one line of a recorded table.
public struct MutantOutcome: Sendable, Codable, Equatable {
  /// ``MutantSubject/id``.
  public var id: String
  /// ``Mutation/hash`` of the edits that were run; empty for the base.
  public var hash: String
  /// The kernel's own version, as far as it said.
  public var release: String?
  /// The verdicts.
  public var results: [CaseResult] = []
  /// Why there are not all of them: it did not compile, did not boot, died.
  public var failure: String?
  /// What the kernel itself complained of, in its own words.
  public var complaint: String?
  /// Wall time of the guest.
  public var seconds = 0.0

  init(
    id: String, hash: String = "", release: String? = nil, results: [CaseResult] = [], failure: String? = nil,
    complaint: String? = nil
  ) {
    (self.id, self.hash, self.release, self.results) = (id, hash, release, results)
    (self.failure, self.complaint) = (failure, complaint)
  }

  /// The outcome of a guest.
  public init(_ subject: MutantSubject, _ outcome: Result<GuestSession.Outcome, any Error>?) {
    id = subject.id
    hash = subject.hash
    switch outcome {
    case .success(let outcome):
      release = outcome.start?.release
      results = (outcome.results + outcome.provedLosses).map(Self.short)
      seconds = (outcome.guest.seconds * 10).rounded() / 10
      complaint = outcome.guest.warnings.first?.headline
      if case .finished = outcome.guest.ending {
        if outcome.results.count < subject.cases.count { failure = outcome.end.reason ?? "not all cases ran" }
      } else {
        failure = "\(outcome.guest.ending)"
        if case .oops(let lines) = outcome.guest.ending { complaint = lines.first }
        if case .panic(let lines) = outcome.guest.ending { complaint = complaint ?? lines.first }
      }
    case .failure(let error): failure = "\(error)"
    case nil: failure = "was not run"
    }
  }

  /// Without what only that run knows.
  private static func short(_ result: CaseResult) -> CaseResult {
    var result = result
    result.count.seconds = (result.count.seconds * 1000).rounded() / 1000
    return result
  }

  /// The result of a case.
  func result(_ name: CaseName) -> CaseResult? { results.first { $0.case == name } }

  /// Those that lost data.
  var lost: [CaseResult] { results.filter { $0.role == .hazard && $0.verdict == .corrupt } }

  /// Those, and the cases of lanes whose negative control lost data.
  var losses: [CaseResult] { lost + results.filter(\.isLostByControl) }

  /// Lines of JSON, one an outcome.
  public static func lines(_ outcomes: [MutantOutcome]) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try outcomes.map { String(decoding: try encoder.encode($0), as: UTF8.self) + "\n" }.joined()
  }

  /// Reads ``lines(_:)``.
  /// - Throws: LabError for a line that is none.
  public static func parse(_ text: String) throws -> [MutantOutcome] {
    try text.split(separator: "\n").enumerated().map { index, line in
      do {
        return try JSONDecoder().decode(MutantOutcome.self, from: Data(line.utf8))
      } catch {
        throw LabError(
          "line \(index + 1) is no outcome of a mutant: \(error)", remedy: "record the table again")
      }
    }
  }
}

extension CaseResult {
  /// Whether data was lost without any hazard, so that all cases of the lane are errors.
  var isLostByControl: Bool {
    verdict == .error && reason?.hasPrefix("the negative control lost data") == true
  }

  /// What a table says of a loss: after how much, or that it took no hazard.
  var finding: String { isLostByControl ? "control" : "\(effort)" }

  /// How long it took to lose: staged, trials; racing, exposures of either class.
  var effort: Int { `case`.schedule == .staged ? count.trials : count.exposures + count.entering }
}
