import Repro

/// Results of one case from several runs, as one: exact sums, the verdict and the bounds that follow from them.
struct CaseTally {
  private var sum: CaseResult
  private var runs = 1
  /// The first result of each verdict that tells why.
  private var reasons: [Verdict: String] = [:]
  private var verdicts: Set<Verdict>

  init(_ first: CaseResult) {
    sum = first
    verdicts = [first.verdict]
    reasons[first.verdict] = first.reason
  }

  /// Adds the result of another run.
  mutating func add(_ other: CaseResult) {
    runs += 1
    sum.count.add(other.count)
    sum.opened = sum.opened ?? other.opened
    sum.path = sum.path ?? other.path
    for bug in other.bugs where !sum.bugs.contains(bug) { sum.bugs.append(bug) }
    verdicts.insert(other.verdict)
    reasons[other.verdict] = reasons[other.verdict] ?? other.reason
  }

  /// What they come to. A loss is proof; an error outranks all else; what was too little in each run may be
  /// enough in all.
  func result(_ plan: Plan) -> CaseResult {
    var result = sum
    if runs > 1 {
      (result.verdict, result.reason) = verdict(atLeast: plan.minimumExposures(sum.case.schedule))
    }
    result.bound(confidence: plan.confidence)
    return result
  }

  private func verdict(atLeast least: Int) -> (Verdict, String?) {
    let (verdict, reason) = sum.count.verdict(atLeast: least)
    if verdict == .corrupt { return (verdict, reason ?? reasons[.corrupt]) }
    if verdicts.contains(.error) { return (.error, reasons[.error]) }
    if verdicts == [.skipped] { return (.skipped, reasons[.skipped]) }
    if verdict == .inconclusive, let evidence = sum.count.evidence {
      return (verdict, "\(reason ?? ""); last: \(evidence)")
    }
    return (verdict, reason)
  }
}
