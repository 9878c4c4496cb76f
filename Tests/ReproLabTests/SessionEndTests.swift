import Testing

@testable import Repro
@testable import ReproLab

/// The host's last word on a guest's run.
@Suite("Guest sessions: the end")
struct SessionEndTests {
  private func end(
    _ ending: GuestEnding, _ verdicts: [Verdict], expected: Int?, said: RunEnd? = nil
  ) throws -> RunEnd {
    let results = verdicts.map { FakeOutcome.result("fork", $0) }
    return try FakeGuest([]).session().end(
      of: GuestReport(ending: ending, seconds: 2), results, expected: expected,
      said ?? RunEnd(verdict: ExitCodes.default.overall(verdicts), seconds: 1))
  }

  private static let died: [GuestEnding] = [
    .panic(lines: ["Kernel panic - not syncing: x"]), .oops(lines: ["BUG: x"]), .killed(signal: 9),
    .initDied(code: 1, lines: []), .unreported(tail: []), .hung(silent: true, tail: []),
    .noBoot(.noConsoleOutput), .qemuMissing(name: "q", package: "qemu-system-x86"), .qemuFailed(message: "m"),
  ]

  @Test(
    "a guest that finished is taken at its word",
    arguments: [[Verdict.clean], [.clean, .corrupt], [.clean, .skipped], [.inconclusive]])
  func finished(verdicts: [Verdict]) throws {
    let end = try end(.finished(status: 0), verdicts, expected: verdicts.count)
    #expect(end.verdict == ExitCodes.default.overall(verdicts) && end.reason == nil && end.seconds == 2)
  }

  @Test("one that did not finish is an error, whatever it said", arguments: died)
  func unfinished(ending: GuestEnding) throws {
    let end = try end(ending, [.clean], expected: 1)
    #expect(end.verdict == .error && end.reason?.contains("\(ending)") == true)
  }

  @Test("what was lost before it died is still lost", arguments: died)
  func lost(ending: GuestEnding) throws {
    #expect(try end(ending, [.clean, .corrupt], expected: 3).verdict == .corrupt)
  }

  @Test("silence about a case is not a clean case")
  func silence() throws {
    let short = try end(.finished(status: 0), [.clean], expected: 2)
    #expect(short.verdict == .error && short.reason?.contains("1 of 2 cases") == true)
    #expect(try end(.finished(status: 0), [], expected: nil).verdict == .error)
  }

  @Test("an error that the guest names is one, with its reason")
  func named() throws {
    let said = RunEnd(verdict: .error, reason: "no such target", seconds: 1)
    let end = try end(.finished(status: 2), [], expected: 0, said: said)
    #expect(end.verdict == .error && end.reason == "no such target")
  }

  @Test("a kernel that does not boot is told what it needs")
  func hint() throws {
    for (ending, isTold) in [(GuestEnding.noBoot(.noConsoleOutput), true), (.killed(signal: 9), false)] {
      let end = try end(ending, [], expected: nil)
      #expect(end.reason?.contains("BLK_DEV_INITRD") == isTold)
    }
  }

  @Test("a loss is kept of a harness that is gone before its verdict, and a loss with a verdict is told once")
  func provedLoss() {
    var seen = GuestSession.Seen()
    seen.take(.trial(SampleRun.refusal))
    seen.take(.trial(SampleRun.loss))
    #expect(seen.provedLosses.map(\.case) == [SampleRun.loss.case])
    #expect(seen.provedLosses.map(\.verdict) == [.corrupt])
    #expect(seen.provedLosses.map(\.count.losses) == [1])
    seen.take(.result(SampleRun.result("fork", "pread", .corrupt, losses: 1)))
    #expect(seen.provedLosses.isEmpty)
  }
}
