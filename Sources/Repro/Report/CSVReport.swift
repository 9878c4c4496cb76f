extension ReportFormat {
  /// A line a case.
  static let csv = ReportFormat("csv", "spreadsheets, a line a case") { _ in CSVReport() }
}

/// Comma-separated values (RFC 4180): a heading, then the verdict and numbers of each case.
struct CSVReport: Report {
  func lines(for event: Event) -> [String] {
    switch event {
    case .run: ["name,verdict,trials,exposures,losses"]
    case .result(let result):
      // Neither names of cases nor verdicts have a comma or a quote.
      ["\(result.case),\(result.verdict.rawValue),\(numbers(result.count))"]
    case .note, .control, .trial, .end: []
    }
  }

  private func numbers(_ count: CaseCount) -> String {
    [count.trials, count.exposures, count.losses].map(String.init).joined(separator: ",")
  }
}
