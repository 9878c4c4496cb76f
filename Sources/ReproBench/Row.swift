import Repro

/// One line of the table: a figure of ours, and what it stands beside.
struct Row {
  /// What was measured.
  var what: String
  /// The figure, with its unit.
  var figure: String
  /// Limits or others, measured in the same run; empty if there is none.
  var beside = ""
  /// Ours against that: `1.2 x`; empty if there is none.
  var ratio = ""

  private var cells: [String] { [what, figure, beside, ratio] }
  private static let heading = ["WHAT", "FIGURE", "BESIDE IT", "RATIO"]

  /// For a terminal.
  static func table(_ rows: [Row]) -> String {
    var table = TextTable()
    table.row(heading)
    for row in rows { table.row(row.cells) }
    return table.lines.joined(separator: "\n")
  }

  /// For a document.
  static func markdown(_ rows: [Row]) -> String {
    let lines =
      [["what", "figure", "beside it", "ratio"], ["---", "---", "---", "---"]] + rows.map(\.cells)
    return lines.map { "| " + $0.joined(separator: " | ") + " |" }.joined(separator: "\n")
  }
}

/// A thing to measure.
struct Subject: Sendable {
  /// What the command line calls it.
  let name: String
  /// How it is measured, in a sentence or two.
  let how: String
  /// Measures it; with `smoke`, as briefly as can be.
  let measure: @Sendable (_ smoke: Bool) async throws -> [Row]

  init(_ name: String, _ how: String, _ measure: @escaping @Sendable (_ smoke: Bool) async throws -> [Row]) {
    self.name = name
    self.how = how
    self.measure = measure
  }

  /// All of them, in the order of the table.
  static let all: [Subject] = [
    MemoryRates.subject, TrialRates.staged, TrialRates.race, Reports.subject, FirstIO.subject,
    BisectionSteps.subject, Peers.here, Peers.guest, WholeMatrix.subject,
  ]
}

/// Why a benchmark has no figure: one line, with the remedy.
struct BenchError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
