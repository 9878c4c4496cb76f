import Testing

@testable import Repro
@testable import ReproLab

/// A guest's program is an executable of its own, and may be of another build than the one that boots it.
@Suite("A guest's program of another build")
struct OtherBuildTests {
  /// A boot of a program with that suite, whose one case is clean.
  private func boot(_ suite: String?) throws -> FakeGuest.Boot {
    var boot = try FakeGuest.clean()
    var start = FakeOutcome.start("6.12.117", [FakeOutcome.name("fork")])
    start.suite = suite
    boot.lines[0] = JSONText.line(Event.run(start))
    return boot
  }

  @Test(
    "is an error that names the file and the remedy, and nothing that it says counts",
    arguments: ["0x1", nil])
  func other(suite: String?) async throws {
    let guest = try FakeGuest([try boot(suite)])
    let (outcome, events) = try await guest.run()
    #expect(guest.boots == 1 && outcome.end.verdict == .error)
    let reason = outcome.end.reason ?? ""
    #expect(reason.contains("/init, the guest's program, is of another build"), "\(reason)")
    #expect(reason.contains("./run.sh build") && !reason.contains("\n"))
    #expect(outcome.start == nil && outcome.results.isEmpty && events == [.end(outcome.end)])
  }

  @Test("is not what one of the same build is")
  func same() async throws {
    let guest = try FakeGuest([try boot(SuiteFingerprint.own)])
    let (outcome, _) = try await guest.run()
    #expect(outcome.end.verdict == .clean && outcome.results.count == 1)
  }

  @Test("is suspected where no run begins")
  func silent() async throws {
    var boot = try boot(nil)
    boot.lines = [#"{"event":"exit","status":2}"#]
    let (outcome, _) = try await FakeGuest([boot]).run()
    #expect(outcome.end.verdict == .error)
    #expect(outcome.end.reason?.contains("never began its run") == true)
    #expect(outcome.end.reason?.contains("./run.sh build") == true)
  }

  @Test("is looked for in the first event alone, which tells it even if its plan can't be read here")
  func line() {
    let strange = #"{"event":"run","suite":"0x2","plan":{"no-such-setting":"1"}}"#
    #expect(BuildCheck.beginsOther(strange, than: "0x1") && !BuildCheck.beginsOther(strange, than: "0x2"))
    #expect(!BuildCheck.beginsOther(#"{"event":"note","text":"a"}"#, than: "0x1"))
  }

  @Test("has another fingerprint when one name is missing, added or in another place")
  func fingerprint() {
    let names = SuiteFingerprint.contents
    #expect(names.contains("scenario fork") && names.contains("memory swap-cache"))
    #expect(names.contains("guard fork fork-copies-pinned") && names.contains("setting swap-device"))
    var seen = Set([SuiteFingerprint.own, SuiteFingerprint.of(names + ["memory new"])])
    for index in names.indices {
      var fewer = names
      fewer.remove(at: index)
      seen.insert(SuiteFingerprint.of(fewer))
    }
    seen.insert(SuiteFingerprint.of(names.reversed()))
    // A guard that a scenario names twice in a row counts once here.
    let repeats = zip(names, names.dropFirst()).count { $0 == $1 }
    #expect(seen.count == names.count + 3 - repeats)
    #expect(SuiteFingerprint.own == SuiteFingerprint.of(names))
  }
}
