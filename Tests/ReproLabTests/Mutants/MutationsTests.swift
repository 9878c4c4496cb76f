import Foundation
import Testing

@testable import Repro
@testable import ReproLab

@Suite("Mutations")
struct MutationsTests {
  private static let record = """
    id: one
    kind: mutant
    guard: ksm-counts-references
    summary: s
    state: reachable
    cases: ksm.pread.staged
    file: mm/a.c
    function: f
    find: a == b
    replace: 0
    function: g
    widen: x;
    replace: $0 y;
    find: z
    replace: 1
    """

  @Test("each edit has its place, and what only widens a window is kept apart")
  func edits() throws {
    let one = try #require(try Mutations(parsing: Self.record).all.first)
    #expect(one.edits.map(\.function) == ["f", "g"] && one.edits.map(\.find) == ["a == b", "z"])
    #expect(one.widening == [Mutation.Edit(file: "mm/a.c", function: "g", find: "x;", replace: "$0 y;")])
    #expect(one.trials == 100 && one.depth == 1 && one.guardText == "ksm-counts-references")
  }

  @Test(
    "what can't be used is refused with its line",
    arguments: [
      ("kind: mutant", "kind: other", "line 2: 'other' is none of its values"),
      ("state: reachable", "state: equivalent", "line 5: 'equivalent' without a reason"),
      (
        "cases: ksm.pread.staged", "cases: ksm.thp.pread.staged", "line 6: 'ksm.thp.pread.staged' is left out"
      ),
      ("cases: ksm.pread.staged", "cases: nothing", "line 6: 'nothing' is no case"),
      ("cases: ksm.pread.staged", "cases: none", "line 6: none is named"),
      ("guard: ksm-counts-references", "guards: x", "line 3: there is no field 'guards'"),
      ("guard: ksm-counts-references", "guard: x\ncheck: y", "one of 'guard' and 'check' is needed"),
      ("find: a == b\nreplace: 0\n", "find: a == b\n", "no 'replace' for 'a == b'"),
      ("find: a == b\n", "", "'replace' without 'find'"),
      ("function: f\n", "", "an edit without a place"),
      ("replace: 1", "replace: 1\n\nid: one\n", "the record has no 'kind'"),
      ("summary: s", "summary: s\ntrials: 0", "'0' is no number above 0"),
    ])
  func refused(_ found: String, _ put: String, _ complaint: String) {
    let text = Self.record.replacingOccurrences(of: found, with: put)
    let error = #expect(throws: CatalogueError.self) { try Mutations(parsing: text) }
    #expect(error?.description.contains(complaint) == true, "\(error?.description ?? "")")
  }

  @Test("an id may come once")
  func twice() {
    #expect(throws: CatalogueError.self) { try Mutations(parsing: Self.record + "\n\n" + Self.record) }
  }

  @Test(
    "the records that come with this version were checked against the recorded source, as they are",
    arguments: MutantBase.all.map(\.name))
  func standard(name: String) throws {
    let base = try #require(MutantBase.all.first { $0.name == name })
    let all = base.mutations.all
    let recorded = base.recorded
    #expect(recorded.version.hasPrefix("\(name)."))
    let checked = Dictionary(uniqueKeysWithValues: all.map { ($0.id, $0.hash) })
    #expect(recorded.checked == checked, "docs/mutants.md has the command")
    let functions = Set(all.flatMap { $0.widening + $0.edits }.map { "\($0.file) \($0.function)" })
    #expect(Set(recorded.functions.keys) == functions)
    #expect(MutantSources(parsing: recorded.text, series: name) == recorded)
    let reachable = all.count { $0.state == .reachable && $0.kind == .mutant }
    #expect(reachable >= (name == MutantBase.standard.name ? 16 : 8))
  }

  @Test("a function that has changed since is told")
  func changes() {
    let recorded = MutantBase.standard.recorded
    var now = recorded
    #expect(now.changes(since: recorded).isEmpty)
    now.functions["mm/ksm.c write_protect_page"] = "0"
    #expect(now.changes(since: recorded) == ["mm/ksm.c write_protect_page"])
  }

  @Test("globs choose, and one that matches nothing is refused")
  func matching() throws {
    let all = try Mutations(parsing: Self.record + "\n\n" + Self.record.replacing("id: one", with: "id: two"))
    #expect(try all.matching(["t*"]).map(\.id) == ["two"])
    #expect(throws: LabError.self) { try all.matching(["x"]) }
  }

  @Test("the base runs what the mutants run, and a wider window has a base of its own")
  func subjects() throws {
    let mutations = try Mutations(parsing: Self.record).all
    let subjects = MutantSubject.all(mutations, runsAll: false)
    #expect(subjects.map(\.id) == ["base", "one-base", "one"])
    #expect(subjects[0].cases.contains(mutations[0].cases[0]) && subjects[2].cases == mutations[0].cases)
    let plan = subjects[2].plan(seed: Seed(1))
    #expect(plan.stopAfterLosses == 1 && subjects[1].plan(seed: Seed(1)).stopAfterLosses == nil)
    #expect(try Plan(text: plan.text).expand().cases.map(\.name) == mutations[0].cases)
  }
}
