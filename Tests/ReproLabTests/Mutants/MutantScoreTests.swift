import Foundation
import Testing

@testable import Repro
@testable import ReproLab

@Suite("The score of mutants")
struct MutantScoreTests {
  private static func mutation(
    _ id: String, _ state: Mutation.State = .reachable, kind: Mutation.Kind = .mutant,
    cases: [CaseName] = [FakeOutcome.name("ksm")], widens: Bool = false
  ) -> Mutation {
    let edit = Mutation.Edit(file: "mm/a.c", function: "f", find: "a", replace: "b")
    return Mutation(
      id: id, kind: kind, guardName: "ksm-counts-references", summary: "s", state: state, edits: [edit],
      widening: widens ? [edit] : [], cases: cases, depth: 1, trials: 100)
  }

  private static func outcome(
    _ id: String, _ verdict: Verdict, _ scenario: String = "ksm", failure: String? = nil,
    complaint: String? = nil
  ) -> MutantOutcome {
    MutantOutcome(
      id: id, release: "6.12.117",
      results: [FakeOutcome.result(scenario, verdict, exposures: verdict == .corrupt ? 2 : 10)],
      failure: failure, complaint: complaint)
  }

  private func fate(_ mutation: Mutation, _ outcomes: [MutantOutcome]) -> MutantScore.Fate {
    MutantScore([mutation], outcomes).fate(mutation)
  }

  @Test("a loss that the base does not have finds a mutation")
  func killed() {
    let mutation = Self.mutation("m")
    let base = Self.outcome("base", .clean)
    #expect(fate(mutation, [base, Self.outcome("m", .corrupt)]) == .killed)
    #expect(fate(mutation, [base, Self.outcome("m", .clean)]) == .survived)
    #expect(fate(mutation, [Self.outcome("base", .corrupt), Self.outcome("m", .corrupt)]) == .survived)
    #expect(fate(mutation, [base]) == .missing)
    var control = Self.outcome("m", .error)
    control.results[0].reason =
      "the negative control lost data in 3 of 3 trials: the I/O path itself is wrong"
    #expect(fate(mutation, [base, control]) == .killed)
  }

  @Test("a loss is no proof where the base was not clean in the same case, in the same schedule")
  func noCleanBase() {
    let mutation = Self.mutation("m")
    let lost = Self.outcome("m", .corrupt)
    for verdict in [Verdict.skipped, .inconclusive, .error] {
      #expect(
        fate(mutation, [Self.outcome("base", verdict), lost])
          == .broken("ksm.pread.staged lost data, but on the base it is \(verdict.rawValue)"))
    }
    #expect(
      fate(mutation, [Self.outcome("base", .clean, "mprotect"), lost])
        == .broken("ksm.pread.staged lost data, but on the base it is not run"))
    let race = CaseName("fork.pread.race")!
    let raced = Self.mutation("m", cases: [race])
    func outcome(_ id: String, _ verdict: Verdict) -> MutantOutcome {
      var outcome = Self.outcome(id, verdict)
      outcome.results[0].case = race
      return outcome
    }
    let loses = outcome("m", .corrupt)
    #expect(fate(raced, [outcome("base-races", .clean), loses]) == .killed)
    #expect(fate(raced, [outcome("base-races", .corrupt), loses]) == .survived)
    #expect(
      fate(raced, [outcome("base", .clean), loses])
        == .broken("fork.pread.race lost data, but on the base it is not run"))
  }

  @Test("a depth or a window of its own has a base of its own, and races have one in common")
  func subjects() throws {
    var deep = Self.mutation("deep", cases: [CaseName("fork.pread.race")!])
    deep.depth = 2
    let raced = Self.mutation("raced", cases: [CaseName("fork.pread.race")!])
    let wide = Self.mutation("wide", widens: true)
    let subjects = MutantSubject.all([deep, raced, wide, Self.mutation("m")], runsAll: false)
    #expect(
      subjects.map(\.id)
        == ["base", "base-races", "deep-base", "deep", "raced", "wide-base", "wide", "m"])
    let races = try #require(subjects.first { $0.id == "base-races" })
    #expect(races.cases.map(\.description) == ["fork.pread.race"] && races.edits.isEmpty)
    #expect(raced.baseID(for: raced.cases[0]) == "base-races")
    #expect(deep.baseID(for: deep.cases[0]) == "deep-base")
  }

  @Test("no loss is no proof when the kernel complained, died, or a case is an error")
  func apart() {
    let mutation = Self.mutation("m")
    let base = Self.outcome("base", .clean)
    #expect(
      fate(mutation, [base, Self.outcome("m", .clean, complaint: "WARNING: x")]) == .asserted("WARNING: x"))
    #expect(fate(mutation, [base, Self.outcome("m", .clean, failure: "hung")]) == .broken("hung"))
    #expect(fate(mutation, [base, Self.outcome("m", .error)]) == .broken("ksm.pread.staged: error"))
    #expect(fate(mutation, [base, Self.outcome("m", .corrupt, failure: "died later")]) == .killed)
  }

  @Test("a window that loses by being wider shows nothing of the guard")
  func widened() {
    let mutation = Self.mutation("m", widens: true)
    let rest = [Self.outcome("base", .clean), Self.outcome("m", .corrupt)]
    #expect(fate(mutation, rest + [Self.outcome("m-base", .clean)]) == .killed)
    #expect(fate(mutation, rest + [Self.outcome("m-base", .corrupt)]) == .baseLoses)
  }

  @Test("a fix must mend what is broken")
  func fixes() {
    let fix = Self.mutation("f", kind: .fix)
    #expect(fate(fix, [Self.outcome("base", .corrupt), Self.outcome("f", .clean)]) == .mended)
    #expect(
      fate(fix, [Self.outcome("base", .clean), Self.outcome("f", .clean)])
        == .notMended("ksm.pread.staged is not corrupt on the base"))
    #expect(
      fate(fix, [Self.outcome("base", .corrupt), Self.outcome("f", .corrupt)])
        == .notMended("ksm.pread.staged is corrupt with it"))
  }

  @Test("found is expected of the reachable, and of no others")
  func exitCodes() {
    for (state, verdict, code) in [
      (Mutation.State.reachable, Verdict.corrupt, Int32(0)), (.reachable, .clean, 1),
      (.equivalent, .clean, 0),
      (.equivalent, .corrupt, 1), (.notReached, .clean, 0), (.notReached, .corrupt, 1),
    ] {
      let score = MutantScore(
        [Self.mutation("m", state)], [Self.outcome("base", .clean), Self.outcome("m", verdict)])
      #expect(score.exitCode == code, "\(state) \(verdict)")
    }
  }

  @Test("a base that loses where the catalogue knows of nothing is unexpected")
  func base() {
    let mutation = Self.mutation("m")
    let score = MutantScore([mutation], [Self.outcome("base", .corrupt), Self.outcome("m", .corrupt)])
    #expect(score.baseSurprises == ["base: ksm.pread.staged is corrupt"] && score.exitCode == 1)
    #expect(MutantScore([mutation], []).baseSurprises == ["the base kernel was not run"])
  }

  @Test("a scenario that found nothing anywhere is unproven, a guard that nothing removes untested")
  func gaps() {
    let base = Self.outcome("base", .clean)
    let before = MutantScore([Self.mutation("m")], [base, Self.outcome("m", .clean)])
    #expect(before.unproven.contains("ksm") && !before.unproven.contains("fork"))
    let after = MutantScore([Self.mutation("m")], [base, Self.outcome("m", .corrupt)])
    #expect(
      !after.unproven.contains("ksm") && after.unproven.contains("move_pages")
        && after.untested.contains("fork-leaves-out"))
    #expect(!after.untested.contains("ksm-counts-references"))
    #expect(before.claims.first?.scenarios.contains("ksm") == true)
    #expect(after.claims.first?.scenarios.contains("ksm") == false)
  }

  @Test("outcomes come back as they went")
  func lines() throws {
    let outcomes = [Self.outcome("base", .clean), Self.outcome("m", .corrupt, complaint: "WARNING: \"x\"")]
    #expect(try MutantOutcome.parse(MutantOutcome.lines(outcomes)) == outcomes)
    #expect(throws: LabError.self) { try MutantOutcome.parse("{}\n") }
  }

  private static func file(_ path: String) throws -> String {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..").standardized
    return try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  @Test("what the kernel's own assertion stopped is apart, and expected only where there are assertions")
  func assertions() {
    let mutation = Self.mutation("m")
    let outcomes = [
      Self.outcome("base", .clean),
      Self.outcome("m", .clean, failure: "oops", complaint: "kernel BUG at mm/rmap.c"),
    ]
    let score = MutantScore([mutation], outcomes, hasAssertions: true)
    #expect(score.exitCode == 0 && score.asserted == 1 && score.found.count == 0)
    #expect(MutantScore([mutation], outcomes).exitCode == 1)
  }

  @Test(
    "a recorded table is of these records, finds all that is reachable, and is the one in the docs",
    arguments: ["6.12", "6.12-assertions", "6.1"])
  func recorded(table name: String) throws {
    let base = try #require(MutantBase.all.first { $0.name == name.split(separator: "-")[0] })
    let hasAssertions = name.hasSuffix("-assertions")
    let outcomes = try MutantOutcome.parse(Self.file("fixtures/mutants-\(name).jsonl"))
    let score = MutantScore(base.mutations.all, outcomes, hasAssertions: hasAssertions)
    for mutation in score.mutations where !mutation.cases.isEmpty {
      #expect(score.outcome(mutation)?.hash == mutation.hash, "\(mutation.id) was recorded with other edits")
    }
    #expect(score.exitCode == 0, "\(score.remarks.joined(separator: "\n"))")
    #expect(score.found.count + score.asserted == score.found.of && score.found.of >= 8)
    #expect((score.asserted > 0) == hasAssertions)
    if name == "6.12" { #expect(score.unseen.isEmpty && score.found.of >= 16) }
    let page = try Self.file("docs/mutants.md")
    let begin = try #require(page.firstRange(of: "<!-- mutants-\(name):begin -->\n"))
    let end = try #require(page.firstRange(of: "\n<!-- mutants-\(name):end -->"))
    #expect(page[begin.upperBound..<end.lowerBound] == score.markdown, "see docs/mutants.md for the command")
  }
}
