public import Repro

/// A plan that several machines share: a shard each, and what makes one report of theirs.
public struct FleetPlan: Sendable {
  /// What all of them run; its seed is theirs.
  public let plan: Plan
  /// How many shards there are.
  public let shards: Int
  /// The `repro` that merges, a path on the machine that does.
  public let merger: String

  /// - Throws: PlanError for more shards than cases; SelectionError.
  public init(_ plan: Plan, shards: Int, merger: String) throws {
    let cases = try plan.expand().cases.count
    if shards > cases { throw PlanError("--shards \(shards): there are \(cases) cases") }
    self.plan = plan
    self.shards = shards
    self.merger = merger
  }

  /// What the static executable is called in the folder.
  static let executable = "repro-oneshot"
  /// Where a shard's report goes, with what stands for its number.
  static func report(_ shard: String) -> String { "reports/shard-\(shard).jsonl" }

  /// The words that make the executable run one shard, as a shell reads them.
  /// - Parameter shard: what stands for the number.
  func words(_ shard: String) -> String {
    let settings = plan.text.split(separator: "\n").map { Self.quoted(String($0)) }
    return (settings + ["shard=\(shard)/\(shards)", "format=jsonl"]).joined(separator: " ")
  }

  /// The command that makes one report of all shards: it names each, so that it hears of one that is missing.
  var merge: String {
    let reports = (1...shards).map { Self.report("\($0)") }.joined(separator: " \\\n  ")
    return "\"${REPRO:-\(merger)}\" merge -o merged.jsonl \\\n  \(reports)"
  }

  /// Longer than any shard should take, in whole minutes.
  var minutes: Int {
    let longest = (1...shards).map { index in
      var one = plan
      one.selection.shard = Shard(index, of: shards)
      return one.longestSeconds
    }
    return Int(((longest.max() ?? 0) / 60).rounded(.up)) + 1
  }

  /// A shell's word for `text`.
  private static func quoted(_ text: String) -> String {
    let plain = text.utf8.allSatisfy {
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=_-./,+:".utf8.contains($0)
    }
    return plain ? text : "'" + text.replacing("'", with: "'\\''") + "'"
  }
}
