import Foundation
import Repro

/// Cases by kernels, each cell compared with what the catalogue expects.
public struct Matrix: Sendable {
  /// A kernel's column.
  public struct Column: Sendable {
    /// The kernel's name.
    public var kernel: String
    /// Its version, if the guest told it.
    public var version: KernelVersion?
    /// The results by case.
    public var results: [CaseName: CaseResult]
    /// Why the column is not complete.
    public var failure: String?
    /// Wall time of the guest.
    public var seconds: Double
  }

  /// Whether a cell is as the catalogue has it.
  public enum Judgement: String, Sendable, Codable {
    /// As expected.
    case expected
    /// The catalogue says otherwise.
    case unexpected
    /// The catalogue has no opinion, or the cell has no verdict.
    case unknown
  }

  /// One column a kernel, in the order asked for.
  public private(set) var columns: [Column] = []
  /// The cases, in the order of the plan.
  public private(set) var cases: [CaseName] = []

  /// An empty matrix.
  public init() {}

  /// Adds the outcome of a kernel's guest.
  public mutating func add(_ kernel: String, _ outcome: GuestSession.Outcome) {
    let version = outcome.start.flatMap {
      KernelVersion(release: $0.release, procVersion: "Linux version \($0.release) \($0.build)")
    }
    var results: [CaseName: CaseResult] = [:]
    for result in outcome.results { results[result.case] = result }
    if cases.isEmpty { cases = outcome.start?.cases ?? [] }
    let isComplete = outcome.start.map { $0.cases.count == outcome.results.count } ?? false
    columns.append(
      Column(
        kernel: kernel, version: version, results: results,
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

  /// How a cell compares with the catalogue.
  public func judgement(_ result: CaseResult, on column: Column) -> Judgement {
    if result.verdict == .error { return .unexpected }
    guard result.verdict == .corrupt || result.verdict == .clean, let path = result.path,
      let version = column.version
    else { return .unknown }
    let expectation = Catalogue.standard.expectation(
      result.case, role: result.role, path: path, version: version)
    switch (expectation, result.verdict) {
    case (.corrupt, .corrupt), (.clean, .clean): return .expected
    case (.unknown, _): return .unknown
    default: return .unexpected
    }
  }

  /// Whether every kernel ran and no cell is unexpected.
  public var isAsExpected: Bool {
    columns.allSatisfy { column in
      column.failure == nil
        && column.results.values.allSatisfy { judgement($0, on: column) != .unexpected }
    }
  }

  private func text(_ name: CaseName, _ column: Column) -> String {
    guard let result = column.results[name] else { return "-" }
    let mark = judgement(result, on: column) == .unexpected ? " !!" : ""
    switch result.verdict {
    case .corrupt: return "CORRUPT \(result.count.losses)/\(result.count.exposures)\(mark)"
    case .clean: return "clean \(result.count.exposures)\(mark)"
    case .inconclusive: return "inconclusive \(result.count.exposures)"
    case .skipped: return "skipped"
    case .error: return "ERROR\(mark)"
    }
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
        guard let result = column.results[name], judgement(result, on: column) == .unexpected else {
          continue
        }
        lines.append(
          "unexpected on \(column.kernel): \(name) is \(result.verdict.rawValue)"
            + (result.reason.map { " (\($0))" } ?? "; the catalogue says otherwise"))
      }
    }
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
          kernel: column.kernel, version: column.version?.description, judgement: judgement($0, on: column),
          result: $0)
      }
    }
    let failures = columns.reduce(into: [String: String]()) { $0[$1.kernel] = $1.failure }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let data = try encoder.encode(Whole(isAsExpected: isAsExpected, failures: failures, cells: entries))
    return String(decoding: data, as: UTF8.self)
  }
}
