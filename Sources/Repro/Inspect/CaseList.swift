/// The cases of a selection, or what is left out of it and why.
public struct CaseList {
  private let plan: Plan

  /// A list of what `plan` selects.
  public init(_ plan: Plan) { self.plan = plan }

  /// The names of the cases, one a line.
  /// - Throws: SelectionError for a scenario that nobody knows.
  public func cases() throws(SelectionError) -> [String] { try plan.expand().cases.map { "\($0.name)" } }

  /// Each reason, with the cases that it leaves out.
  /// - Throws: SelectionError for a scenario that nobody knows.
  public func whyNot() throws(SelectionError) -> [String] {
    var reasons: [(text: String, cases: [String])] = []
    for one in try plan.expand().excluded {
      if let index = reasons.firstIndex(where: { $0.text == one.reason }) {
        reasons[index].cases.append("\(one.case.name)")
      } else {
        reasons.append((one.reason, ["\(one.case.name)"]))
      }
    }
    return reasons.flatMap { [$0.text] + $0.cases.map { "  \($0)" } }
  }
}
