public import Repro

extension ReportFormat {
  /// Every format; the first is the usual one. Guests and reproducers, which must stay small, have only what
  /// they need of them: ``ReportFormat/small``.
  public static let all: [ReportFormat] = [
    .human,
    .ktap,
    .junit,
    .jsonl,
    .html,
    .kcidb,
  ]

  /// The format of that name.
  public static func named(_ name: String) -> ReportFormat? { all.first { $0.name == name } }
}
