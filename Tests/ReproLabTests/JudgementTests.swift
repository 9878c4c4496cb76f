import Testing

@testable import Repro

/// The one judge of verdicts against the catalogue, on records made up for it.
@Suite("Judgement")
struct JudgementTests {
  private static let catalogue: Catalogue = {
    let records = """
      id: fork-fuse
      hazard: fork
      scenarios: fork
      paths: fuse
      bad: always
      fixed: 6.9
      source: made up
      confidence: source
      measured: none
      summary: lost read

      id: pageout-stable
      hazard: pageout
      scenarios: pageout
      paths: fuse
      bad: 5.10
      fixed: 6.9, 6.1.50
      source: made up
      confidence: source
      measured: none
      summary: lost read
      """
    // swift-format-ignore: NeverUseForceTry
    return try! Catalogue(parsing: records)
  }()

  private static let bad = KernelVersion(6, 1, patch: 10)
  private static let good = KernelVersion(6, 12, patch: 3)

  private func judge(
    _ scenario: String, _ verdict: Verdict, on version: KernelVersion?, reason: String? = nil,
    unexplained: Int = 0
  ) -> Judgement {
    var result = SampleRun.result(scenario, "pread", verdict, reason, losses: verdict == .corrupt ? 1 : 0)
    result.count.unexplained = unexplained
    return Judgement(result, on: version, by: Self.catalogue)
  }

  @Test(
    "a verdict is as the catalogue has it, or it is not",
    arguments: [
      ("fork", Verdict.corrupt, bad, Judgement.expected), ("fork", .corrupt, good, .unexpected),
      ("fork", .clean, bad, .unexpected), ("fork", .clean, good, .expected),
      ("fork", .inconclusive, bad, .inconclusive), ("fork", .inconclusive, good, .inconclusive),
      ("fork", .error, good, .unexpected), ("ksm", .error, good, .unexpected),
      ("ksm", .clean, good, .unknown), ("ksm", .inconclusive, good, .unknown),
      ("ksm", .skipped, good, .unknown),
      ("control-none", .clean, bad, .expected), ("control-none", .corrupt, bad, .unexpected),
    ])
  func table(scenario: String, verdict: Verdict, version: KernelVersion, expected: Judgement) {
    #expect(judge(scenario, verdict, on: version) == expected)
  }

  @Test("where the kernel has no such feature, nothing can be lost; but a known loss is not disproved")
  func lacking() {
    let reason = "not in this kernel: UFFDIO_MOVE: boot Linux 6.8 or later"
    #expect(judge("fork", .skipped, on: Self.good, reason: reason) == .expected)
    #expect(judge("fork", .skipped, on: Self.bad, reason: reason) == .skipped)
    #expect(judge("fork", .skipped, on: Self.good, reason: "run as root") == .skipped)
  }

  @Test("a loss that no record accounts for is unexpected")
  func strangers() {
    #expect(judge("ksm", .corrupt, on: Self.bad) == .unexpected)
    #expect(judge("fork", .corrupt, on: Self.bad, unexplained: 1) == .unexpected)
    #expect(judge("fork", .corrupt, on: nil) == .unexpected)
  }

  @Test("a control may lose in ways that its scenario does not name")
  func control() {
    var result = SampleRun.result("control-remap", "pread", .corrupt, losses: 1)
    (result.role, result.count.unexplained) = (.positiveControl, 1)
    #expect(Judgement(result, on: Self.good, by: Self.catalogue) == .expected)
    #expect(Judgement(result, on: nil, by: Self.catalogue) == .expected)
    result.verdict = .clean
    #expect(Judgement(result, on: Self.good, by: Self.catalogue) == .unexpected)
  }

  @Test("of a kernel that does not tell its patch level, nothing clean is claimed")
  func unknownPatch() {
    let version = KernelVersion(6, 1, patch: nil)
    #expect(judge("pageout", .clean, on: version) == .unknown)
    #expect(judge("fork", .clean, on: version) == .unexpected)
  }

  /// The result of a case that never ran has no path; what the catalogue knows of it must still be found.
  @Test("what is missing leaves a known case undecided")
  func missing() {
    #expect(judge("fork", .skipped, on: Self.bad, reason: "no /dev/fuse") == .skipped)
    #expect(judge("fork", .skipped, on: Self.good, reason: "no /dev/fuse") == .skipped)
  }

  @Test("where nothing asks a guard nothing is lost, which answers for clean and not for corrupt")
  func notAsked() {
    #expect(judge("fork", .skipped, on: Self.good, reason: "not asked: mprotect returned") == .expected)
    #expect(judge("fork", .skipped, on: Self.bad, reason: "not asked: mprotect returned") == .skipped)
  }

  @Test(
    "the worst judgement is the whole's",
    arguments: [
      ([Judgement.expected, .unknown], Verdict.clean, Verdict.clean),
      ([.expected, .skipped], .clean, .inconclusive),
      ([.expected, .inconclusive], .inconclusive, .inconclusive),
      ([.inconclusive, .unexpected, .skipped], .corrupt, .corrupt),
      ([], .inconclusive, .inconclusive),
    ] as [([Judgement], Verdict, Verdict)])
  func overall(judgements: [Judgement], here: Verdict, everything: Verdict) {
    #expect(Judgement.overall(judgements, needsAll: false) == here)
    #expect(Judgement.overall(judgements, needsAll: true) == everything)
  }

  // MARK: A run compared

  private func appraise(
    _ results: [CaseResult], on version: KernelVersion, compares: Bool = true
  ) -> (notes: [String], overall: Verdict) {
    let observer = Keeper()
    let appraisal = Appraisal(observer, kernel: version, comparesWithCatalogue: compares)
    for result in results { appraisal.receive(.result(result)) }
    appraisal.receive(.end(RunEnd(verdict: .clean, seconds: 1)))
    #expect(observer.end != nil)
    let notes = observer.events.compactMap { if case .note(let note) = $0 { note.text } else { nil } }
    return (notes, appraisal.overall)
  }

  private func result(_ scenario: String, _ verdict: Verdict, _ schedule: Schedule = .staged) -> CaseResult {
    var result = SampleRun.result(
      scenario, "pread", verdict, verdict == .skipped ? "no root" : nil, losses: verdict == .corrupt ? 1 : 0)
    result.case.schedule = schedule
    result.case.target = TargetKind.usual(for: schedule).name
    if schedule == .race && result.path != nil { result.path = .block }
    return result
  }

  @Test("known losses of a kernel are told as such and fail nothing")
  func knownLoss() {
    let (notes, overall) = appraise([result("fork", .corrupt), result("control-none", .clean)], on: Self.bad)
    #expect(overall == .clean)
    #expect(notes.first?.hasPrefix("known: fork.pread.staged lost data") == true)
    #expect(notes.first?.contains("fork-fuse") == true)
    #expect(notes.last == "compared with the catalogue: 2 expected")
  }

  @Test("a loss that should be gone, and one that should be there, are unexpected")
  func unexpected() {
    let lost = appraise([result("fork", .corrupt)], on: Self.good)
    #expect(lost.overall == .corrupt && lost.notes[0].hasPrefix("unexpected: fork.pread.staged lost data"))
    let clean = appraise([result("fork", .clean)], on: Self.bad)
    #expect(clean.overall == .corrupt && clean.notes[0].hasPrefix("unexpected: fork.pread.staged is clean"))
    #expect(clean.notes[0].contains("fork-fuse"))
  }

  @Test("too few exposures are undecided; what a machine lacks is not held against the kernel")
  func undecided() {
    #expect(appraise([result("fork", .inconclusive)], on: Self.good).overall == .inconclusive)
    #expect(appraise([result("fork", .skipped), result("ksm", .clean)], on: Self.good).overall == .clean)
  }

  @Test("who is not asked to compare does not")
  func silent() {
    #expect(appraise([result("fork", .corrupt)], on: Self.good, compares: false).notes == [])
  }

  @Test("a scenario that was only raced is named with the reason")
  func racedOnly() {
    let results = [
      result("fork", .skipped), result("fork", .clean, .race), result("ksm", .clean, .race),
      result("pageout", .clean), result("pageout", .clean, .race), result("soft-dirty", .skipped, .race),
      result("control-none", .clean, .race),
    ]
    let notes = appraise(results, on: Self.good, compares: false).notes
    #expect(
      notes == [
        "only raced: fork; the staged schedule, which decides, never ran: no root",
        "only raced: ksm; the staged schedule, which decides, never ran: it was not selected",
      ])
  }
}

/// Keeps events.
private final class Keeper: Observer {
  private(set) var events: [Event] = []
  func receive(_ event: Event) { events.append(event) }
  func progress(fraction: Double, case name: CaseName) {}
  var end: RunEnd? { if case .end(let end) = events.last { end } else { nil } }
}
