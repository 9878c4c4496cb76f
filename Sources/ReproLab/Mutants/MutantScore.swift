import Foundation
import Repro

/// What the runs of mutations show: who was found, by what, and what nobody asks.
public struct MutantScore: Sendable {
  /// What became of a mutation.
  public enum Fate: Sendable, Equatable {
    /// Some case lost data: it was found.
    case killed
    /// Nothing was lost, and nothing is wrong with the run.
    case survived
    /// Nothing was lost before the kernel's own assertion fired.
    case asserted(String)
    /// It could not be asked: it did not compile, boot or finish.
    case broken(String)
    /// A fix: what loses on the base is clean with it.
    case mended
    /// A fix that mends nothing, or of what was not broken.
    case notMended(String)
    /// The base with the wider window loses as well, so the mutation shows nothing.
    case baseLoses
    /// It was not run.
    case missing

    var word: String {
      switch self {
      case .killed: "killed"
      case .survived: "survived"
      case .asserted: "asserted"
      case .broken: "broken"
      case .mended: "mended"
      case .notMended: "not mended"
      case .baseLoses: "base loses too"
      case .missing: "not run"
      }
    }

    /// More than the word.
    var detail: String? {
      switch self {
      case .asserted(let text), .broken(let text), .notMended(let text): text
      default: nil
      }
    }
  }

  /// The mutations, in the order of the records.
  public let mutations: [Mutation]
  private let outcomes: [String: MutantOutcome]
  private let catalogue: Catalogue
  /// Whether the kernels were built with their own assertions: then one of these may come first.
  let hasAssertions: Bool

  /// A score of outcomes.
  public init(
    _ mutations: [Mutation], _ outcomes: [MutantOutcome], hasAssertions: Bool = false,
    catalogue: Catalogue = .measured
  ) {
    self.hasAssertions = hasAssertions
    self.mutations = mutations
    self.outcomes = Dictionary(outcomes.map { ($0.id, $0) }) { $1 }
    self.catalogue = catalogue
  }

  /// The base kernel's.
  public var base: MutantOutcome? { outcomes[MutantLab.baseID] }

  /// The outcome of a mutation's kernel.
  func outcome(_ mutation: Mutation) -> MutantOutcome? { outcomes[mutation.id] }

  /// What became of a mutation.
  public func fate(_ mutation: Mutation) -> Fate {
    guard !mutation.cases.isEmpty, let outcome = outcomes[mutation.id] else { return .missing }
    if mutation.kind == .fix { return mending(mutation, outcome) }
    if let own = outcomes[mutation.id + "-base"], !own.losses.isEmpty { return .baseLoses }
    if !finders(mutation).isEmpty { return .killed }
    let unasked = outcome.losses.first { loss in
      mutation.cases.contains(loss.case) && baseResult(mutation, loss.case)?.verdict != .corrupt
        && baseResult(mutation, loss.case)?.isLostByControl != true
    }
    if let unasked {
      let verdict = baseResult(mutation, unasked.case)?.verdict.rawValue ?? "not run"
      return .broken("\(unasked.case) lost data, but on the base it is \(verdict)")
    }
    if let complaint = outcome.complaint { return .asserted(complaint) }
    if let failure = outcome.failure { return .broken(failure) }
    let undecided = mutation.cases.filter { outcome.result($0)?.verdict == .error }
    if let first = undecided.first.flatMap(outcome.result) {
      return .broken("\(first.case): \(first.reason ?? "error")")
    }
    return .survived
  }

  private func mending(_ mutation: Mutation, _ outcome: MutantOutcome) -> Fate {
    for name in mutation.cases {
      guard base?.result(name)?.verdict == .corrupt else {
        return .notMended("\(name) is not corrupt on the base")
      }
      guard let result = outcome.result(name), result.verdict == .clean else {
        return .notMended("\(name) is \(outcome.result(name)?.verdict.rawValue ?? "missing") with it")
      }
    }
    return .mended
  }

  /// The results that found a mutation: they lost data, or their lane's negative control did, and the base was clean
  /// in the same case. Where the base was not asked, or could not answer, a loss shows nothing of the guard.
  func finders(_ mutation: Mutation) -> [CaseResult] {
    outcomes[mutation.id].map { outcome in
      outcome.losses.filter { baseResult(mutation, $0.case)?.verdict == .clean }
    } ?? []
  }

  /// What the base that goes with a mutation says in a case: the one with its window and depth, if it has such.
  private func baseResult(_ mutation: Mutation, _ name: CaseName) -> CaseResult? {
    outcomes[mutation.baseID(for: name)]?.result(name)
  }

  /// Whether a fate is what the record expects.
  public func isExpected(_ mutation: Mutation) -> Bool {
    switch (mutation.state, fate(mutation)) {
    case (.reachable, .killed), (.reachable, .mended): true
    case (.equivalent, .survived), (.notReached, .survived): true
    // The kernel may well notice what no scenario sees.
    case (.notReached, .asserted): mutation.kind == .mutant
    case (.notReached, .missing): mutation.cases.isEmpty
    case (_, .asserted): hasAssertions && mutation.kind == .mutant
    default: false
    }
  }

  /// Found, of those that are marked reachable.
  public var found: (count: Int, of: Int) {
    let reachable = mutations.filter { $0.state == .reachable && $0.kind == .mutant }
    return (reachable.filter { fate($0) == .killed }.count, reachable.count)
  }

  /// Of those, the ones that the kernel's own assertion stopped before data was lost.
  public var asserted: Int {
    mutations.count { mutation in
      if case .asserted = fate(mutation) {
        mutation.state == .reachable && mutation.kind == .mutant
      } else {
        false
      }
    }
  }

  /// The base kernel's results that are not as the catalogue has them.
  public var baseSurprises: [String] {
    guard let base else { return ["the base kernel was not run"] }
    let version = base.release.flatMap { KernelVersion($0) }
    return (base.failure.map { [$0] } ?? [])
      + base.results.filter { result in
        switch Judgement(result, on: version, by: catalogue) {
        case .unexpected: true
        case .unknown: result.verdict == .corrupt
        default: false
        }
      }.map { "base: \($0.case) is \($0.verdict.rawValue)" }
  }

  /// Scenarios that lost data on no mutant here and, by the catalogue, on no stock kernel: whether they can find
  /// anything is not shown.
  public var unproven: [String] {
    let killers = Set(mutations.flatMap { finders($0).map(\.case.scenario) })
    let measured = catalogue.bugs.filter { bug in bug.measured.contains { $0.corrupt } }
    return Scenario.standard.map(\.name).filter { name in
      !killers.contains(name) && !measured.contains { bug in bug.scenarios.contains { $0.matches(name) } }
    }
  }

  /// Guards that scenarios ask, and that no mutation takes away.
  public var untested: [String] {
    Set(Scenario.standard.flatMap(\.guards).map(\.name)).subtracting(mutations.compactMap(\.guardName))
      .sorted()
  }

  /// Scenarios that claim a guard and found none of the mutations that take it away, by guard.
  public var claims: [(guard: String, scenarios: [String])] {
    let reachable = mutations.filter { $0.state == .reachable && $0.kind == .mutant }
    return Set(reachable.compactMap(\.guardName)).sorted().compactMap { name in
      let killers = Set(
        reachable.filter { $0.guardName == name }.flatMap { finders($0).map(\.case.scenario) })
      let silent = Scenario.standard.filter { one in
        one.guards.contains { $0.name == name } && !killers.contains(one.name)
      }
      return silent.isEmpty ? nil : (name, silent.map(\.name))
    }
  }

  /// Names of guards in records that no clean verdict of the base or of a mutant gives.
  public var unseen: [String] {
    let seen = Set(outcomes.values.flatMap(\.results).flatMap { $0.count.guards.keys })
    return Set(mutations.compactMap(\.guardName)).subtracting(seen).sorted()
  }

  /// 0 when all is as the records and the catalogue have it, else 1.
  public var exitCode: Int32 {
    baseSurprises.isEmpty && mutations.allSatisfy(isExpected) ? 0 : 1
  }
}
