import Foundation
import Repro

/// Cases by kernels, each cell compared with what the catalogue expects.
public struct Matrix: Sendable {
  /// A kernel's column.
  public struct Column: Sendable {
    /// The kernel's name.
    public var kernel: String
    /// Whose exported programs ran; nil for the suite itself.
    public var architecture: Architecture?
    /// What it ran on, as the guest told it.
    public var start: RunStart?
    /// Its version, if the guest told it.
    public var version: KernelVersion?
    /// The results by case.
    public var results: [CaseName: CaseResult]
    /// Why the column is not complete.
    public var failure: String?
    /// Wall time of the guest.
    public var seconds: Double
  }

  /// One column a kernel, in the order asked for.
  public private(set) var columns: [Column] = []
  /// The cases, in the order of the plan.
  public private(set) var cases: [CaseName] = []

  /// An empty matrix.
  public init() {}

  /// Adds the outcome of a kernel's guest.
  /// - Parameter architecture: whose exported programs ran; nil for the suite itself.
  public mutating func add(
    _ kernel: String, _ outcome: GuestSession.Outcome, on architecture: Architecture? = nil
  ) {
    let version = outcome.start?.kernelVersion
    var results: [CaseName: CaseResult] = [:]
    for result in outcome.results { results[result.case] = result }
    if cases.isEmpty { cases = outcome.start?.cases ?? [] }
    let isComplete = outcome.start.map { $0.cases.count == outcome.results.count } ?? false
    columns.append(
      Column(
        kernel: kernel, architecture: architecture, start: outcome.start, version: version, results: results,
        failure: failure(outcome, isComplete: isComplete),
        seconds: outcome.guest.seconds))
  }

  /// Why a kernel's column can't be relied on.
  private func failure(_ outcome: GuestSession.Outcome, isComplete: Bool) -> String? {
    if !isComplete { return outcome.end.reason ?? "the guest ended early" }
    guard case .finished = outcome.guest.ending else { return "\(outcome.guest.ending)" }
    if outcome.results.contains(where: { $0.verdict == .clean || $0.verdict == .corrupt }) { return nil }
    let missing = outcome.guest.missingModules
    return "no cell was decided"
      + (missing.isEmpty ? "" : "; missing modules: \(missing.joined(separator: ", "))")
  }

  /// Adds a kernel that could not be run at all.
  public mutating func add(_ kernel: String, failure: String) {
    columns.append(Column(kernel: kernel, version: nil, results: [:], failure: failure, seconds: 0))
  }

  /// How a cell compares with the catalogue. Of what an architecture is known to lack, nothing is expected.
  public func judgement(_ result: CaseResult, on column: Column) -> Judgement {
    if result.verdict == .skipped, column.architecture?.lacks(result.case, on: column.version) == true {
      return .unknown
    }
    return Judgement(result, on: column.version)
  }

  private var judgements: [Judgement] {
    columns.flatMap { column in column.results.values.map { judgement($0, on: column) } }
  }

  /// Whether every kernel ran, and each cell that the catalogue has an opinion on is as it says.
  public var isAsExpected: Bool { exitCode == 0 }

  /// 0 when all is as expected; 1 when a cell is unexpected or a kernel did not run; 3 when neither, but a
  /// cell that the catalogue has an opinion on is undecided, since guests have all that cases need.
  public var exitCode: Int32 {
    if columns.contains(where: { $0.failure != nil }) { return 1 }
    return ExitCodes.default.code(Judgement.overall(judgements, needsAll: true))
  }

  private func text(_ name: CaseName, _ column: Column) -> String {
    guard let result = column.results[name] else { return "-" }
    let mark =
      switch judgement(result, on: column) {
      case .unexpected: " !!"
      case .inconclusive, .skipped: " ??"
      case .expected, .unknown: ""
      }
    let word =
      switch result.verdict {
      case .corrupt: "CORRUPT \(result.count.losses)/\(result.count.exposures)"
      case .clean: "clean \(result.count.exposures)"
      case .inconclusive: "inconclusive \(result.count.exposures)"
      case .skipped: "skipped"
      case .error: "ERROR"
      }
    return word + mark
  }

  private func heading(_ column: Column) -> String {
    "\(column.kernel)" + (column.version.map { " (\($0))" } ?? "")
  }

  private var rows: [[String]] {
    [["CASE"] + columns.map(heading)]
      + cases.map { name in ["\(name)"] + columns.map { text(name, $0) } }
  }

  private var remarks: [String] {
    var lines = columns.compactMap { column in column.failure.map { "\(column.kernel): \($0)" } }
    for column in columns {
      for name in cases {
        guard let result = column.results[name], let remark = result.remark(on: column.version),
          ![.expected, .unknown].contains(judgement(result, on: column))
        else { continue }
        lines.append("\(column.kernel): \(remark)")
      }
    }
    if columns.contains(where: { $0.architecture != nil }) { lines.append(ExportedEvents.limits) }
    let times = columns.map { "\($0.kernel) \(String(format: "%.1f", $0.seconds)) s" }
    return lines + ["guest time: " + times.joined(separator: ", ")]
  }

  /// For a terminal.
  public var table: String {
    var table = TextTable()
    for row in rows { table.row(row) }
    return (table.lines + [""] + remarks).joined(separator: "\n")
  }

  /// For a document.
  public var markdown: String {
    var lines = rows.map { "| " + $0.joined(separator: " | ") + " |" }
    lines.insert("|" + String(repeating: "---|", count: columns.count + 1), at: 1)
    return (lines + [""] + remarks.map { "- \($0)" }).joined(separator: "\n")
  }

  /// For programs: one object a kernel and cell, with its judgement.
  public func json() throws -> String {
    struct Entry: Encodable {
      var kernel: String
      var version: String?
      var architecture: String?
      var machine: String?
      var pageSize: Int?
      var byteOrder: String?
      var judgement: Judgement
      var result: CaseResult
    }
    struct Whole: Encodable {
      var isAsExpected: Bool
      var failures: [String: String]
      var cells: [Entry]
    }
    let entries = columns.flatMap { column in
      cases.compactMap { column.results[$0] }.map {
        Entry(
          kernel: column.kernel, version: column.version?.description,
          architecture: column.architecture?.name, machine: column.start?.machine,
          pageSize: column.start?.pageSize, byteOrder: column.start?.byteOrder,
          judgement: judgement($0, on: column), result: $0)
      }
    }
    let failures = columns.reduce(into: [String: String]()) { $0[$1.kernel] = $1.failure }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let data = try encoder.encode(Whole(isAsExpected: isAsExpected, failures: failures, cells: entries))
    return String(decoding: data, as: UTF8.self)
  }
}
