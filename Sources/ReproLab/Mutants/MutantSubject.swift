import Foundation
import Repro

extension Mutation {
  /// A hash of what it does to the source: results and checks of another edit are not this one's.
  public var hash: String {
    TextHash.of((widening + edits).flatMap { [$0.file, $0.function, $0.find, $0.replace] })
  }

  /// Whether its cases mean something else than the common base's: then that runs once more, as they do.
  var hasOwnBase: Bool { !widening.isEmpty || depth != 1 }

  /// The ``MutantSubject/id`` of the base that must be clean in one of its cases, in that schedule.
  func baseID(for name: CaseName) -> String {
    hasOwnBase ? id + "-base" : name.schedule == .staged ? MutantLab.baseID : MutantLab.racesID
  }
}

/// One kernel that is to be run: the base, a mutation, or the base with a mutation's wider window.
public struct MutantSubject: Sendable {
  /// `base`, `base-races`, a mutation's id, or that with `-base`.
  public let id: String
  /// What its source differs by.
  let edits: [Mutation.Edit]
  /// ``Mutation/hash`` of the mutation that it is or goes with.
  let hash: String
  /// What is run on it.
  let cases: [CaseName]
  private let depth: Int
  private let trials: Int
  /// Whether one loss is enough.
  private let stopsAtLoss: Bool

  /// Seconds of one case, at most.
  private static let seconds = 30.0
  private static let baseTrials = 20

  /// What must be run for some mutations: the base with all their staged cases and the standard ones, the base with
  /// what is raced, and each of them; those with a window or a depth of their own with a base of their own.
  /// - Parameter runsAll: each kernel gets all that the base gets.
  public static func all(_ mutations: [Mutation], runsAll: Bool) -> [MutantSubject] {
    var usual: [CaseName] = []
    let staged = standardCases + mutations.filter { $0.depth == 1 }.flatMap(\.cases)
    for name in staged where !usual.contains(name) && (name.schedule == .staged || runsAll) {
      usual.append(name)
    }
    let base = MutantSubject(
      id: MutantLab.baseID, edits: [], hash: "", cases: usual, depth: 1, trials: baseTrials,
      stopsAtLoss: false)
    let shared = mutations.filter { !$0.hasOwnBase }
    var raced: [CaseName] = []
    for name in shared.flatMap(\.cases) where name.schedule != .staged && !raced.contains(name) {
      raced.append(name)
    }
    let races = MutantSubject(
      id: MutantLab.racesID, edits: [], hash: "", cases: raced, depth: 1,
      trials: shared.filter { $0.cases.contains { $0.schedule != .staged } }.map(\.trials).max() ?? 1,
      stopsAtLoss: false)
    return [base, races].filter { !$0.cases.isEmpty }
      + mutations.flatMap { mutation in
        let own = mutation.cases + (runsAll ? usual.filter { !mutation.cases.contains($0) } : [])
        func subject(_ suffix: String, _ edits: [Mutation.Edit]) -> MutantSubject {
          MutantSubject(
            id: mutation.id + suffix, edits: edits, hash: mutation.hash, cases: own, depth: mutation.depth,
            trials: mutation.trials, stopsAtLoss: suffix.isEmpty && mutation.kind == .mutant)
        }
        let mutant = subject("", mutation.widening + mutation.edits)
        return mutation.hasOwnBase ? [subject("-base", mutation.widening), mutant] : [mutant]
      }.filter { !$0.cases.isEmpty }
  }

  /// What a run without names takes, staged.
  private static var standardCases: [CaseName] {
    var selection = Selection()
    selection.schedules = [.staged]
    let cases = (try? selection.chosenScenarios()).map { selection.expand($0, depth: 1).cases } ?? []
    return cases.map(\.name)
  }

  /// The plan of its guest.
  public func plan(seed: Seed) -> Plan {
    var selection = Selection()
    selection.cases = cases
    var plan = Plan(selection, seed: seed)
    plan.depth = depth
    plan.trials = trials
    plan.time = Self.seconds
    plan.minimumExposures = 1
    plan.stopAfterLosses = stopsAtLoss ? 1 : nil
    return plan
  }
}

/// What a check of the records against a source found, as `fixtures/mutant-sources.txt` keeps it.
public struct MutantSources: Sendable, Equatable {
  /// The source's version.
  public var version: String
  /// ``Mutation/hash`` of each record that matched, by its id.
  public internal(set) var checked: [String: String] = [:]
  /// A hash of each function that is edited, by `FILE FUNCTION`.
  public internal(set) var functions: [String: String] = [:]

  init(version: String) { self.version = version }

  /// Reads ``text``, of which there may be several in one file.
  /// - Parameter series: takes the one of this series of releases.
  init(parsing text: String, series: String) {
    version = ""
    var isMine = false
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let words = line.split(separator: " ").map(String.init)
      switch (words.first, words.count) {
      case ("source", 2):
        isMine = words[1].hasPrefix(series + ".")
        if isMine { version = words[1] }
      case ("record", 3) where isMine: checked[words[1]] = words[2]
      case ("function", 4) where isMine: functions["\(words[1]) \(words[2])"] = words[3]
      default: continue
      }
    }
  }

  /// For the file.
  public var text: String {
    """
    # Which records were found to match which source, exactly once each; made by
    # `repro mutants --check`, and with `--base`. The hashes are of a record's edits, and of the functions that they are in.

    source \(version)

    """
      + checked.sorted { $0.key < $1.key }.map { "record \($0.key) \($0.value)\n" }.joined()
      + functions.sorted { $0.key < $1.key }.map { "function \($0.key) \($0.value)\n" }.joined()
  }

  /// Functions that were others when the records were checked.
  public func changes(since earlier: MutantSources) -> [String] {
    functions.filter { (earlier.functions[$0.key] ?? $0.value) != $0.value }.map(\.key).sorted()
  }
}
