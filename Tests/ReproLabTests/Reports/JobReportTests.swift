import Testing

@testable import Repro
@testable import ReproLab

/// What jobs tell, in whatever order, becomes the report of one worker.
@Suite("Jobs: one report")
struct JobReportTests {
  /// Keeps what it gets.
  private final class Kept: Observer {
    var events: [Event] = []
    func receive(_ event: Event) { events.append(event) }
    func progress(fraction: Double, case name: CaseName) { #expect((0...1).contains(fraction)) }
  }

  private static let cases = SampleRun.start.cases
  private static let jobs = 3

  /// The case of an event that has one.
  private static func place(_ event: Event) -> Int? {
    switch event {
    case .trial(let trial): cases.firstIndex(of: trial.case)
    case .result(let result): cases.firstIndex(of: result.case)
    default: nil
    }
  }

  /// What job number `job` tells of the sample: every third case, and the last job backwards.
  private static func told(by job: Int) -> [Event] {
    var events = SampleRun.controls.map(Event.control)
    let mine = cases.indices.filter { $0 % jobs == job }
    for index in job == jobs - 1 ? mine.reversed() : mine {
      events += SampleRun.events.filter { place($0) == index }
    }
    return events + [.end(RunEnd(verdict: .clean, seconds: 1))]
  }

  /// Tells all, a job after the other in turns of one event, or one whole job after the other.
  private static func report(
    _ told: [[Event]], inTurns: Bool, to kept: Kept
  ) -> RunEnd? {
    var report = JobReport(SampleRun.plan, cases, jobs: told.count, observer: kept)
    report.start(["a note"])
    if inTurns {
      for number in 0..<(told.map(\.count).max() ?? 0) {
        for (job, events) in told.enumerated() where number < events.count {
          report.take(events[number], from: job)
        }
      }
    } else {
      for (job, events) in told.enumerated().reversed() {
        for event in events { report.take(event, from: job) }
      }
    }
    return report.finish(.default, seconds: 12.34)
  }

  @Test("is in the plan's order, with each lane's controls once and one end", arguments: [false, true])
  func order(inTurns: Bool) throws {
    let kept = Kept()
    let end = Self.report((0..<Self.jobs).map(Self.told), inTurns: inTurns, to: kept)
    let expected = SampleRun.events.filter { Self.place($0) != nil }
    #expect(kept.events.filter { Self.place($0) != nil } == expected)
    guard case .run(let start) = kept.events.first, case .end(let last) = kept.events.last else {
      Issue.record("no start or no end")
      return
    }
    #expect(start.cases == Self.cases && last == end)
    // As a single worker sums it up; the sample's own end is made by hand.
    #expect(end?.verdict == ExitCodes.default.overall(SampleRun.results.map(\.verdict)))
    #expect(end?.reason == "wait for child #9: timed out" && end?.interruptedBy == nil)
    let controls = kept.events.compactMap { if case .control(let control) = $0 { control } else { nil } }
    #expect(controls.map(\.engine) == ["pread", "libaio"] && controls.map(\.trials) == [9, 9])
    #expect(controls.map(\.fired) == [9, 3] && controls.map(\.isSound) == [true, false])
    let kinds = kept.events.prefix(4).map {
      switch $0 {
      case .run: "run"
      case .note: "note"
      case .control: "control"
      default: "other"
      }
    }
    #expect(kinds == ["run", "note", "control", "control"])
  }

  @Test(
    "every format is told the same as by one worker", arguments: ["ktap", "junit", "human", "jsonl", "html"])
  func formats(name: String) throws {
    let format = try #require(ReportFormat.named(name))
    let kept = Kept()
    _ = Self.report((0..<Self.jobs).map(Self.told), inTurns: true, to: kept)
    func lines(_ events: [Event]) -> [String] {
      var report = format.make(.default)
      let of = events.filter { event in
        switch event {
        case .trial, .result: true
        case .run, .note, .control, .end: false
        }
      }
      let end = Event.end(RunEnd(verdict: .corrupt, seconds: 1))
      return ([.run(SampleRun.start)] + of + [end]).flatMap { report.lines(for: $0) }
    }
    #expect(lines(kept.events) == lines(SampleRun.events))
  }

  @Test("a job that a signal stopped says so for all")
  func interrupted() {
    var told = (0..<Self.jobs).map(Self.told)
    told[1][told[1].count - 1] = .end(RunEnd(verdict: .inconclusive, interruptedBy: 15, seconds: 1))
    #expect(Self.report(told, inTurns: true, to: Kept())?.interruptedBy == 15)
  }

  @Test("of a job that is gone the proved loss is told, its case is no verdict, and there is no end")
  func gone() throws {
    var told = (0..<Self.jobs).map(Self.told)
    // It dies within fork.pread, after the trial that lost data.
    let victim = SampleRun.name("fork", "pread")
    let job = try #require(Self.cases.firstIndex(of: victim)) % Self.jobs
    let at = try #require(
      told[job].firstIndex { if case .result(let one) = $0 { one.case == victim } else { false } })
    told[job] = Array(told[job].prefix(at))
    let kept = Kept()
    #expect(Self.report(told, inTurns: false, to: kept) == nil)
    let results = kept.events.compactMap { if case .result(let result) = $0 { result } else { nil } }
    #expect(results.map(\.case) == Self.cases)
    let broken = try #require(results.first { $0.case == victim })
    #expect(broken.verdict == .corrupt && broken.count.lostTrials == 1)
    #expect(broken.reason == "its job ended before the verdict")
    #expect(kept.events.contains(.trial(SampleRun.loss)))
    for event in kept.events { if case .end = event { Issue.record("an end") } }
    let missing = results.filter { $0.verdict == .error && $0.reason == broken.reason }
    #expect(missing.allSatisfy { $0.count.trials == 0 })
  }

  @Test("a job that is gone before its controls keeps nobody")
  func goneEarly() {
    var told = (0..<Self.jobs).map(Self.told)
    told[0] = []
    let kept = Kept()
    #expect(Self.report(told, inTurns: true, to: kept) == nil)
    let results = kept.events.compactMap { if case .result(let result) = $0 { result } else { nil } }
    #expect(results.map(\.case) == Self.cases)
    #expect(results.count { $0.reason == "its job ended before the verdict" } == Self.cases.count / Self.jobs)
  }
}
