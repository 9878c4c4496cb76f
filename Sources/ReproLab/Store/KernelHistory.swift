public import Repro

/// Results of several runs, by kernel: what changed from one to the other, and how a case fared on each.
public struct KernelHistory: Sendable {
  /// What a case came to on one kernel, over all of its runs.
  public struct Record: Sendable, Equatable {
    /// The worst of its verdicts; what was skipped counts only where nothing else is known.
    public var verdict: Verdict
    /// Runs that have the case.
    public var runs = 0
    /// Sums of the runs.
    public var trials = 0
    /// See ``trials``.
    public var exposures = 0
    /// See ``trials``.
    public var losses = 0

    init(_ results: [CaseResult]) {
      verdict = ExitCodes.default.overall(results.map(\.verdict))
      runs = results.count
      trials = results.reduce(0) { $0 + $1.count.trials }
      exposures = results.reduce(0) { $0 + $1.count.exposures }
      losses = results.reduce(0) { $0 + $1.count.losses }
    }

    var text: String {
      switch verdict {
      case .corrupt: "CORRUPT \(losses)/\(exposures)"
      case .clean: "clean \(exposures)"
      case .inconclusive: "inconclusive \(exposures)"
      case .skipped: "skipped"
      case .error: "ERROR"
      }
    }
  }

  /// One kernel's runs.
  public struct Kernel: Sendable {
    /// `uname -r` and `uname -v`.
    public var name: String
    /// Its version, where it is known.
    public var version: KernelVersion?
    /// What each case came to.
    public var records: [CaseName: Record]

    /// `6.1.176 (6.1.0-50-cloud-amd64)`.
    public var label: String {
      let release = name.split(separator: " ").first.map(String.init) ?? name
      guard let version, version.patch != nil, "\(version)" != release else { return release }
      return "\(version) (\(release))"
    }
  }

  /// The kernels, oldest version first.
  public let kernels: [Kernel]
  /// Every case, in the order in which it was met.
  public let cases: [CaseName]

  /// The history of runs, as a store gives them.
  public init(_ runs: [[Event]]) {
    let summaries = runs.map(RunSummary.init).filter { $0.start != nil }
    var cases: [CaseName] = []
    var seen: Set<CaseName> = []
    var results: [String: [CaseName: [CaseResult]]] = [:]
    var versions: [String: KernelVersion] = [:]
    for run in summaries {
      guard let start = run.start else { continue }
      let kernel = "\(start.release) \(start.build)"
      versions[kernel] = run.version
      results[kernel] = results[kernel] ?? [:]
      for result in run.results {
        if seen.insert(result.case).inserted { cases.append(result.case) }
        results[kernel]?[result.case, default: []].append(result)
      }
    }
    self.cases = cases
    kernels = results.map { name, results in
      Kernel(name: name, version: versions[name], records: results.mapValues { Record($0) })
    }.sorted {
      ($0.version ?? KernelVersion(0, 0), $0.name) < ($1.version ?? KernelVersion(0, 0), $1.name)
    }
  }

  /// The kernel that `text` names: its version, `uname -r`, or a series such as 6.1.
  /// - Throws: PlanError when it names none, or several.
  public func kernel(_ text: String) throws(PlanError) -> Kernel {
    let exact = kernels.filter { kernel in
      kernel.name == text || kernel.name.hasPrefix(text + " ") || kernel.version.map { "\($0)" } == text
    }
    let found =
      exact.isEmpty
      ? kernels.filter { kernel in
        guard let series = KernelVersion(text), series.patch == 0, let version = kernel.version else {
          return false
        }
        return version.isSameSeries(as: series)
      } : exact
    if found.count == 1 { return found[0] }
    let all = (found.isEmpty ? kernels : found).map(\.label).joined(separator: ", ")
    throw PlanError(
      found.isEmpty
        ? "no kernel '\(text)' in the store; it has \(all)" : "'\(text)' is one of \(all); name one")
  }

  // MARK: Comparing

  /// How a case differs between two kernels.
  public enum Change: String, Sendable {
    /// Corrupt now, and it was clean.
    case regression
    /// Corrupt now, and it was not known to be.
    case newCorruption = "new corruption"
    /// Clean now, and it was corrupt.
    case mended
    /// An error now: what it was before is not known of it any more.
    case error
    /// It was clean or corrupt, and can't be told now.
    case undecided
    /// Another verdict of no consequence.
    case other = "changed"
  }

  /// The cases that differ.
  public func changes(_ old: Kernel, _ new: Kernel) -> [(case: CaseName, change: Change)] {
    cases.compactMap { name in
      let (before, after) = (old.records[name]?.verdict, new.records[name]?.verdict)
      guard before != after else { return nil }
      let change: Change
      switch (before, after) {
      case (.clean, .corrupt): change = .regression
      case (_, .corrupt): change = .newCorruption
      case (.corrupt, .clean): change = .mended
      case (_, .error): change = .error
      case (.corrupt, _), (.clean, _): change = .undecided
      default: change = .other
      }
      return (name, change)
    }
  }

  /// A table of what changed from `old` to `new`, and the exit code: 1 for a new corruption, 2 for a new
  /// error, 3 when what was known can't be told of the new kernel, else 0.
  public func difference(_ old: Kernel, _ new: Kernel) -> (lines: [String], code: Int32) {
    let changes = changes(old, new)
    var table = TextTable()
    table.row(["CASE", old.label, new.label, ""])
    for (name, change) in changes {
      let mark = change == .regression || change == .newCorruption ? "  !!" : ""
      table.row([
        "\(name)", old.records[name]?.text ?? "-", new.records[name]?.text ?? "-", change.rawValue + mark,
      ])
    }
    let same = cases.count { old.records[$0] != nil && old.records[$0]?.verdict == new.records[$0]?.verdict }
    let lines =
      (changes.isEmpty ? [] : table.lines + [""]) + ["\(changes.count) cases differ, \(same) do not"]
    func has(_ some: Change...) -> Bool { changes.contains { some.contains($0.change) } }
    let code: Int32 =
      has(.regression, .newCorruption)
      ? 1 : has(.error) ? 2 : has(.undecided) || same + changes.count == 0 ? 3 : 0
    return (lines, code)
  }

  /// A case on each kernel.
  public func trend(_ name: CaseName) -> [String] {
    var table = TextTable()
    table.row(["KERNEL", "VERDICT", "LOSS RATE", "RUNS", "TRIALS"])
    for kernel in kernels {
      guard let record = kernel.records[name] else {
        table.row([kernel.label, "-"])
        continue
      }
      let rate = 100 * Double(record.losses) / Double(max(1, record.exposures))
      table.row([
        kernel.label, record.text, record.exposures > 0 ? rate.fixed(1) + " %" : "", "\(record.runs)",
        "\(record.trials)",
      ])
    }
    return table.lines
  }

  /// All that is there, a line a kernel.
  public var lines: [String] {
    var table = TextTable()
    table.row(["KERNEL", "CASES"] + Verdict.allCases.map { $0.rawValue.uppercased() } + ["EXPOSURES"])
    for kernel in kernels {
      let records = kernel.records.values
      table.row(
        [kernel.label, "\(records.count)"]
          + Verdict.allCases.map { verdict in "\(records.count { $0.verdict == verdict })" }
          + ["\(records.reduce(0) { $0 + $1.exposures })"])
    }
    return table.lines
  }
}
