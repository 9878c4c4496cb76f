/// What the suite of a program consists of, as one word. A guest's program is another executable than the one that
/// boots it: of another build, it may have other parts, and run other cases than were asked for.
public enum SuiteFingerprint {
  /// This program's: the names of all parts and guards, the settings of plans, and the version of events' fields.
  public static let own = of(contents)

  /// What to do about two programs of different builds.
  public static let remedy = "'./run.sh build' makes both"

  /// The fingerprint of a list of names: FNV-1a of 64 bits, in hex.
  static func of(_ names: [String]) -> String {
    Hex.number(FNV1a.hash(names.joined(separator: "\0").utf8))
  }

  /// One name a line, each with its kind: a memory and a target may be called the same.
  static var contents: [String] {
    ["schema \(RunStart.currentSchema)"]
      + Scenario.all.map { "scenario \($0.name)" }
      + Scenario.all.flatMap { one in one.guards.map { "guard \(one.name) \($0.name)" } }
      + MemoryKind.all.map { "memory \($0.name)" } + EngineKind.all.map { "engine \($0.name)" }
      + TargetKind.all.map { "target \($0.name)" } + PlanKey.all.map { "setting \($0.name)" }
  }
}
