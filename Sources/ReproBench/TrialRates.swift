import Repro

/// How many trials and exposures a second, as `repro run` reports them.
enum TrialRates {
  static let staged = Subject(
    "staged",
    "`repro run fork --schedule staged --engine pread --memory anon --target held --depth N`: trials by the "
      + "seconds of the case, so without start and controls."
  ) { smoke in
    var rows: [Row] = []
    for depth in [1, 32, 256] {
      let count = try await count("staged", depth, ["--trials", smoke ? "5" : depth == 1 ? "5000" : "1000"])
      rows.append(
        Row(
          what: "staged fork, depth \(depth)",
          figure: "\((Double(count.trials) / count.seconds).fixed(0)) trials/s",
          beside: "\((Double(count.exposures) / count.seconds).fixed(0)) exposures/s"))
    }
    return rows
  }

  static let race = Subject(
    "race",
    "`repro run fork --schedule race --engine pread --memory anon --depth N --time 5`: pages exposed in flight, "
      + "by the seconds of the case."
  ) { smoke in
    var rows: [Row] = []
    for depth in [1, 32] {
      let count = try await count("race", depth, ["--time", smoke ? "0.1" : "5"])
      rows.append(
        Row(
          what: "racing fork, depth \(depth)",
          figure: "\((Double(count.exposures) / count.seconds).fixed(0)) exposures/s",
          beside: "\((Double(count.trials) / count.seconds).fixed(0)) trials/s"))
    }
    return rows
  }

  private static func count(_ schedule: String, _ depth: Int, _ more: [String]) async throws -> CaseCount {
    let target = schedule == "staged" ? ["--target", "held"] : []
    let results = try await Program.results(
      ["run", "fork", "--schedule", schedule, "--engine", "pread", "--memory", "anon", "--depth", "\(depth)"]
        + target + more)
    return results[0].count
  }
}
