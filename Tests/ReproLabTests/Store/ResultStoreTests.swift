import Foundation
import TestHost
import Testing

@testable import Repro
@testable import ReproLab

@Suite("Store of results")
struct ResultStoreTests {
  /// The sample's run on a kernel, with the verdict of one case changed.
  static func run(
    _ release: String = "6.1.0", seed: UInt64 = 1, _ changes: [String: Verdict] = [:]
  ) -> [Event] {
    SampleRun.events.map { event in
      switch event {
      case .run(var start):
        start.release = release
        start.build = "#1 SMP"
        start.plan.seed = Seed(seed)
        return .run(start)
      case .result(var result):
        result.verdict = changes["\(result.case)"] ?? result.verdict
        return .result(result)
      default: return event
      }
    }
  }

  private let folder: TemporaryFolder
  private let store: ResultStore

  init() throws {
    folder = try TemporaryFolder()
    store = try ResultStore(folder("s.sqlite"), create: true)
  }

  @discardableResult
  private func add(_ events: [Event]) throws -> Int {
    try folder.write(StoredReportTests.jsonl(events), to: "x.jsonl")
    return try store.add(folder("x.jsonl"))
  }

  private var history: KernelHistory { get throws { KernelHistory(try store.runs()) } }

  @Test("gives back what was added, and adding it again changes nothing")
  func twice() throws {
    #expect(try add(Self.run()) == 1)
    let before = try store.runs()
    #expect(try add(Self.run()) == 0)
    #expect(try store.runs() == before)
    // The order of trials between results is not kept, and no trial without a loss is.
    let (kept, given) = (RunSummary(before[0]), RunSummary(Self.run()))
    #expect(kept.start == given.start && kept.results == given.results && kept.end == given.end)
    #expect(kept.losses == given.losses && kept.controls == given.controls && kept.notes == given.notes)
    #expect(try ResultStore(folder("s.sqlite")).runs() == before)
  }

  @Test("a report that is cut off is refused with its line, and nothing of it stays")
  func torn() throws {
    let whole = Self.run(seed: 1) + Self.run(seed: 2).dropLast(3)
    let error = #expect(throws: PlanError.self) { try add(whole) }
    #expect(error?.description.contains("ends at line \(whole.count)") == true)
    let lines = StoredReportTests.jsonl(Self.run(seed: 1)) + "{\"event\":\n"
    try folder.write(lines, to: "y.jsonl")
    let other = #expect(throws: PlanError.self) { try store.add(folder("y.jsonl")) }
    #expect(other?.description.contains("line \(Self.run().count + 1) is no event") == true)
    #expect(throws: PlanError.self) { try store.runs() }
  }

  @Test("all runs of a file are added or none")
  func transaction() throws {
    try add(Self.run(seed: 1))
    let contradiction = Self.run(seed: 1, ["ksm.pread.staged": .corrupt])
    #expect(throws: PlanError.self) { try add(Self.run(seed: 2) + contradiction) }
    #expect(try store.runs().count == 1)
  }

  @Test("a run with a case that has neither result nor reason is refused")
  func silent() throws {
    let silent = Self.run().filter { event in
      if case .result(let result) = event { return "\(result.case)" != "ksm.pread.staged" }
      return true
    }
    let error = #expect(throws: PlanError.self) { try add(silent) }
    #expect(error?.description.contains("no result of ksm.pread.staged") == true)
  }

  @Test("what is no store is refused and left alone")
  func foreign() throws {
    try folder.write("precious", to: "precious")
    #expect(throws: PlanError.self) { try ResultStore(folder("precious"), create: true) }
    #expect(throws: PlanError.self) { try ResultStore(folder("missing")) }
    #expect(try folder.read("precious") == "precious" && !folder.names.contains("missing"))
  }

  @Test(
    "a comparison tells by its exit code",
    arguments: [
      ([:], 0, "0 cases differ"), (["ksm.pread.staged": .corrupt], 1, "regression"),
      (["pageout.pread.staged": .corrupt], 1, "new corruption"), (["fork.pread.staged": .clean], 0, "mended"),
      (["ksm.pread.staged": .error], 2, "error"), (["ksm.pread.staged": .skipped], 3, "undecided"),
      (["fork.pread.staged": .inconclusive], 3, "undecided"),
      (["pageout.pread.staged": .inconclusive], 0, "changed"),
      (["ksm.pread.staged": .error, "soft-dirty.libaio.staged": .corrupt], 1, "regression  !!"),
    ] as [([String: Verdict], Int32, String)])
  func difference(changes: [String: Verdict], code: Int32, text: String) throws {
    try add(Self.run("6.1.5"))
    try add(Self.run("6.2.0-rc1", changes))
    let history = try history
    let found = history.difference(try history.kernel("6.1.5"), try history.kernel("6.2"))
    #expect(found.code == code)
    #expect(found.lines.contains { $0.contains(text) }, "\(found.lines)")
  }

  @Test("several runs of a kernel add up, and a loss is not forgotten")
  func sums() throws {
    try add(Self.run("6.1.5", seed: 1, ["ksm.pread.staged": .corrupt]))
    try add(Self.run("6.1.5", seed: 2))
    try add(Self.run("6.10.1", seed: 3))
    let history = try history
    #expect(history.kernels.map(\.label) == ["6.1.5", "6.10.1"], "by version, not as text")
    let ksm = SampleRun.name("ksm", "pread")
    let record = try #require(history.kernels[0].records[ksm])
    #expect(record.verdict == .corrupt && record.runs == 2 && record.exposures == 6)
    #expect(history.trend(ksm).count == 3)
    #expect(history.trend(ksm)[2].contains("clean 3"))
  }

  @Test("a kernel is named by version, release or series, and by nothing that is several")
  func names() throws {
    try add(Self.run("6.1.5", seed: 1))
    try add(Self.run("6.1.6", seed: 2))
    let history = try history
    #expect(try history.kernel("6.1.6").label == "6.1.6")
    let several = #expect(throws: PlanError.self) { try history.kernel("6.1") }
    #expect(several?.description.contains("is one of 6.1.5, 6.1.6") == true)
    #expect(throws: PlanError.self) { try history.kernel("5.4") }
  }

  @Test("is read by reports")
  func reported() throws {
    try add(Self.run())
    let runs = try StoredRuns.read(folder("s.sqlite"), .html)
    #expect(HTMLPage(runs).lines.contains { $0.contains("fork.pread.staged") })
  }
}
