import CKernel

/// How a case's result compares with what the catalogue expects on a kernel: the one judge, for a run here
/// and for a matrix of kernels.
public enum Judgement: String, Sendable, Codable, CaseIterable {
  /// The catalogue says the same.
  case expected
  /// The catalogue says otherwise, or the harness failed. A loss that no record accounts for is one too.
  case unexpected
  /// The catalogue has an opinion, and the exposures were too few to compare with it.
  case inconclusive
  /// The catalogue has an opinion, and what the case needs was missing.
  case skipped
  /// The catalogue has none, and nothing was lost.
  case unknown

  /// Judges a result.
  /// - Parameter version: the kernel it is of; nil if that did not tell.
  public init(_ result: CaseResult, on version: KernelVersion?, by catalogue: Catalogue = .standard) {
    let expectation = result.expectation(on: version, by: catalogue)
    self =
      switch (result.verdict, expectation) {
      case (.error, _): .unexpected
      // Damage of another kind is another bug than the one that is known; a control's proves no more than that
      // losses are seen.
      case (.corrupt, .corrupt), (.corrupt, .possible):
        result.role != .positiveControl && result.count.unexplained > 0 ? .unexpected : .expected
      case (.corrupt, _): .unexpected
      case (.clean, .clean), (.clean, .possible): .expected
      case (.clean, .corrupt): .unexpected
      case (_, .unknown), (_, .possible): .unknown
      // Where nothing asks a guard, nothing can be lost; nor where the kernel does not have what would ask.
      case (.skipped, .clean) where result.wasNotAsked || result.isNotInKernel: .expected
      case (.skipped, _): .skipped
      case (.inconclusive, _): .inconclusive
      }
  }

  /// What judgements come to, as the verdict whose exit code tells it: corrupt when one is unexpected, else
  /// inconclusive when the catalogue could not be compared with, else clean.
  /// - Parameter needsAll: whether what is missing counts as well, as where everything should be there.
  public static func overall(_ judgements: some Sequence<Judgement>, needsAll: Bool) -> Verdict {
    let all = Set(judgements)
    if all.contains(.unexpected) { return .corrupt }
    let isOpen = all.contains(.inconclusive) || needsAll && all.contains(.skipped)
    return isOpen || all.isEmpty ? .inconclusive : .clean
  }
}

extension CaseResult {
  /// Whether the hazard acted and led to nothing that a guard could have been asked about.
  var wasNotAsked: Bool { verdict == .skipped && reason?.hasPrefix("not asked:") == true }

  /// Whether the kernel does not have the feature that the case is about.
  var isNotInKernel: Bool { verdict == .skipped && reason?.hasPrefix(Need.lackMark) == true }

  /// How the case's I/O takes hold of memory, also when it never got that far.
  private var usualPath: IOPath {
    if EngineKind.named(`case`.engine)?.traits.contains(.registers) == true { return .pin }
    return TargetKind.named(`case`.target)?.path ?? .block
  }

  /// What the catalogue says of the case on a kernel.
  func expectation(on version: KernelVersion?, by catalogue: Catalogue) -> Catalogue.Expectation {
    // A control's follows from its role, whatever the version.
    guard let version = version ?? (role == .hazard ? nil : KernelVersion(0, 0)) else { return .unknown }
    return catalogue.expectation(`case`, role: role, path: path ?? usualPath, version: version)
  }

  /// One line on how the result compares, or nil where there is nothing to say.
  public func remark(on version: KernelVersion?, by catalogue: Catalogue = .standard) -> String? {
    let kernel = version.map { "\($0)" } ?? "this kernel"
    let judgement = Judgement(self, on: version, by: catalogue)
    switch (judgement, expectation(on: version, by: catalogue)) {
    case (.expected, .possible) where verdict == .clean: return nil
    case (.expected, .clean) where isNotInKernel:
      return "\(`case`) does not run on \(kernel), where nothing can be lost by it: \(reason ?? "")"
    case (.expected, .corrupt(let bugs)), (.expected, .possible(let bugs)):
      let names = bugs.map(\.id).joined(separator: ", ")
      return "known: \(`case`) lost data, as the catalogue has it for \(kernel)"
        + (names.isEmpty ? "" : " (\(names))")
    case (.unexpected, let expectation):
      switch (verdict, expectation) {
      case (.error, _): return "unexpected: \(`case`) is an error: \(reason ?? "nothing is known")"
      case (.corrupt, .corrupt), (.corrupt, .possible):
        return "unexpected: \(`case`) lost data in a way that no record names"
      case (.corrupt, _): return "unexpected: \(`case`) lost data, and no record says so for \(kernel)"
      case (_, .corrupt(let bugs)):
        return "unexpected: \(`case`) is clean, and \(bugs.map(\.id).joined(separator: ", ")) "
          + "should lose data on \(kernel)"
      default: return "unexpected: \(`case`) is \(verdict.rawValue)"
      }
    case (.inconclusive, _), (.skipped, _):
      return "undecided: \(`case`), of which the catalogue knows: \(reason ?? verdict.rawValue)"
    default: return nil
    }
  }
}

/// Passes a run's events on, and before the end says what its verdicts are worth: which scenarios were only
/// raced, and, when asked, how each compares with the catalogue.
package final class Appraisal: Observer {
  private let inner: any Observer
  private let kernel: KernelVersion?
  private let comparesWithCatalogue: Bool
  private var results: [CaseResult] = []

  /// - Parameter kernel: the one that runs.
  init(_ inner: any Observer, kernel: KernelVersion?, comparesWithCatalogue: Bool) {
    self.inner = inner
    self.kernel = kernel
    self.comparesWithCatalogue = comparesWithCatalogue
  }

  package func receive(_ event: Event) {
    switch event {
    case .result(let result): results.append(result)
    case .trial(let trial): trial.tellLoss()
    case .end: for line in Self.racedOnly(results) + comparison { inner.receive(.note(Note(line))) }
    default: break
    }
    inner.receive(event)
  }

  package func progress(fraction: Double, case name: CaseName) {
    inner.progress(fraction: fraction, case: name)
  }

  /// What the comparison comes to; see ``Judgement/overall(_:needsAll:)``.
  var overall: Verdict { Judgement.overall(results.map { Judgement($0, on: kernel) }, needsAll: false) }

  private var comparison: [String] {
    guard comparesWithCatalogue else { return [] }
    let judgements = results.map { Judgement($0, on: kernel) }
    let counts = Judgement.allCases.compactMap { judgement -> String? in
      let count = judgements.count { $0 == judgement }
      return count > 0 ? "\(count) \(judgement.rawValue)" : nil
    }
    let whole =
      "compared with the catalogue: " + (counts.isEmpty ? "nothing" : counts.joined(separator: ", "))
    // What is missing on a machine is among the report's reasons already.
    let remarks = zip(results, judgements).compactMap { result, judgement in
      judgement == .skipped || result.isNotInKernel ? nil : result.remark(on: kernel)
    }
    return remarks + [whole]
  }

  /// How a note of ``racedOnly(_:)`` begins.
  package static let racedOnlyMark = "only raced: "

  /// A race that lost nothing says little; the staged schedule decides in one trial.
  package static func racedOnly(_ results: [CaseResult]) -> [String] {
    var scenarios: [String] = []
    for result in results where result.role == .hazard && result.case.schedule == .race && result.hasRun {
      if !scenarios.contains(result.case.scenario) { scenarios.append(result.case.scenario) }
    }
    var reasons: [(reason: String, scenarios: [String])] = []
    for scenario in scenarios {
      let staged = results.filter { $0.case.scenario == scenario && $0.case.schedule == .staged }
      if staged.contains(where: \.hasRun) { continue }
      let reason = staged.first.map { $0.reason ?? $0.verdict.rawValue } ?? "it was not selected"
      if let index = reasons.firstIndex(where: { $0.reason == reason }) {
        reasons[index].scenarios.append(scenario)
      } else {
        reasons.append((reason, [scenario]))
      }
    }
    return reasons.map { reason, scenarios in
      "\(racedOnlyMark)\(scenarios.joined(separator: ", ")); the staged schedule, which decides, never ran: \(reason)"
    }
  }
}

extension TrialRecord {
  /// Lets the supervisor know, should this process not get to its end, if data was lost.
  func tellLoss() { if isLoss && isExplained { ck_tell_loss() } }
}

extension CaseResult {
  /// Whether trials came to their end.
  fileprivate var hasRun: Bool { count.trials > count.missed && verdict != .error }
}
