import Testing

@testable import Repro

@Suite("Selection of cases")
struct SelectionTests {
  private func names(_ selection: Selection, depth: Int = 1) throws -> [String] {
    selection.expand(try selection.chosenScenarios(), depth: depth).cases.map { "\($0.name)" }
  }

  @Test("a page that was taken at registration is not left for the fault of the read")
  func takenBefore() throws {
    var selection = Selection(scenarios: ["swap-in-move"])
    selection.engines = [.pread, .ioUringFixed]
    let (cases, excluded) = selection.expand(try selection.chosenScenarios(), depth: 1)
    #expect(!cases.isEmpty && cases.allSatisfy { $0.engine.name == "pread" })
    #expect(excluded.contains { $0.reason.contains("registration takes the page before it is moved") })
  }

  @Test("no globs select the standard scenarios")
  func standard() throws {
    let chosen = try Selection().chosenScenarios()
    #expect(chosen.allSatisfy { $0.role == .hazard })
    #expect(chosen.map(\.name) == Scenario.standard.map(\.name))
  }

  @Test("each scenario once, in the order of the table")
  func order() throws {
    let some = try Selection(scenarios: ["ksm", "fork", "fork-child*"]).chosenScenarios().map(\.name)
    #expect(some.prefix(2) == ["fork", "fork-child-stays"])
    let all = try Selection(scenarios: ["*", "fork"]).chosenScenarios().map(\.name)
    #expect(all == Scenario.all.map(\.name) && Set(all).count == all.count)
  }

  @Test("a glob that selects nothing is an error, whatever the others do")
  func nothing() {
    #expect(throws: SelectionError("no scenario 'f'; 'repro list' names them all")) {
      try Selection(scenarios: ["fork", "f"]).chosenScenarios()
    }
  }

  @Test("the default covers every part, one axis varied at a time")
  func star() throws {
    let selection = Selection()
    let (cases, excluded) = selection.expand(try selection.chosenScenarios(), depth: 1)
    #expect(Set(cases.map(\.scenario.name)) == Set(Scenario.standard.map(\.name)))
    #expect(Set(cases.map(\.scenario.steps.toucher)) == Set(Toucher.allCases))
    #expect(Set(cases.map(\.schedule)) == Set(Schedule.allCases))
    // Shared memory can't lose by fork, and no other scenario is varied.
    let shared: Set = ["memfd", "memfd-read"]
    // Of files on disks that only guests have, the usual one of the scenarios that need such.
    let kinds = MemoryKind.all.filter { $0.disk == nil }.map(\.name) + ["ext4-clean"]
    #expect(Set(cases.map(\.memory.name)) == Set(kinds).subtracting(shared))
    #expect(Set(cases.map(\.engine.name)) == Set(EngineKind.all.map(\.name)))
    for name in shared { #expect(excluded.contains { $0.case.memory.name == name && !$0.reason.isEmpty }) }
    // Disks with file systems are for who asks.
    #expect(
      Set(cases.map(\.target.kind.name)) == Set(TargetKind.all.filter { $0.disk == nil }.map(\.name)))
    for one in cases {
      let unusual = [
        one.memory.name != "anon", one.engine.name != "pread" && one.scenario.engine.isEmpty,
        one.target.kind.name != TargetKind.usual(for: one.schedule).name,
      ]
      #expect(unusual.count { $0 } <= 1, "\(one.name)")
    }
  }

  @Test("axes that are named are combined in full")
  func product() throws {
    var selection = Selection(scenarios: ["fork", "mprotect"])
    selection.memories = [.anon, .thp]
    selection.engines = [.pread, .libaio]
    selection.targets = [TargetSpec(.held), TargetSpec(.heldBlock)]
    #expect(try names(selection).count == 16)
    #expect(try Set(names(selection)).count == 16)
  }

  @Test("everything is what no rule leaves out")
  func exhaustive() throws {
    var selection = Selection(scenarios: ["*"])
    selection.isExhaustive = true
    let (cases, excluded) = selection.expand(Scenario.all, depth: 1)
    let states = MemoryKind.all.count { $0.isState }
    // A state of memory is combined with one engine and target for each schedule.
    let plain =
      (MemoryKind.all.count - states) * EngineKind.all.count
      * TargetKind.all.reduce(0) { $0 + $1.schedules.count }
    #expect(
      cases.count + excluded.count == Scenario.all.count * (plain + states * Schedule.allCases.count))
    #expect(cases.allSatisfy { $0.exclusion(depth: 1) == nil })
    #expect(excluded.allSatisfy { !$0.reason.isEmpty && !$0.reason.contains("\n") })
  }

  @Test("ordered pairs are for everything, or for who names them, each once")
  func pairs() throws {
    #expect(try Selection().chosenScenarios().allSatisfy { $0.members.count == 1 })
    #expect(try Selection(scenarios: ["*"]).chosenScenarios().allSatisfy { $0.members.count == 1 })
    var selection = Selection()
    selection.isExhaustive = true
    let all = Set(try selection.chosenScenarios().map(\.name))
    #expect(Scenario.pairs.allSatisfy { all.contains($0.name) })
    #expect(Set(Scenario.pairs.map(\.name)).count == Scenario.pairs.count)
    for name in ["ksm-then-fork", "fork-then-move_pages", "move_pages-then-ksm"] {
      let pair = try #require(Scenario.named(name))
      #expect(pair.members.map(\.name).joined(separator: "-then-") == name)
      #expect(try names(Selection(scenarios: [name])) == ["\(name).pread.staged"])
      #expect(CaseName("\(name).pread.staged")?.scenario == name)
    }
    selection.scenarios = ["ksm-then-*"]
    #expect(try names(selection).allSatisfy { $0.hasSuffix(".pread.staged") })
  }

  @Test("a named target brings its schedule")
  func targetBringsSchedule() throws {
    var selection = Selection(scenarios: ["fork"])
    selection.memories = [.anon]
    selection.engines = [.pread]
    selection.targets = [TargetSpec(.scratch, path: "/mnt")]
    #expect(try names(selection) == ["fork.pread.scratch.staged", "fork.pread.race"])
    selection.targets = [TargetSpec(.heldBlock)]
    #expect(try names(selection) == ["fork.pread.held-block.staged"])
  }

  @Test("one case selects itself", arguments: ["fork.pread.staged", "ksm.io_uring.held-block.staged"])
  func one(text: String) throws {
    #expect(try names(Selection(try #require(CaseName(text)))) == [text])
  }

  @Test("a hazard that waits for the target is left out where that is a suspended device")
  func waiting() throws {
    func exclusion(_ scenario: String, _ target: TargetKind, _ schedule: Schedule) throws -> String? {
      let scenario = try #require(Scenario.named(scenario))
      let one = Case(
        scenario: scenario, memory: .anon, engine: .pread, target: TargetSpec(target), schedule: schedule)
      return one.exclusion(depth: 1)
    }
    #expect(try exclusion("write-to-cached", .suspended, .staged)?.contains("waits for us") == true)
    #expect(try exclusion("write-to-cached", .raid1, .staged)?.contains("waits for us") == true)
    #expect(try exclusion("write-to-cached", .ext4, .staged) == nil)
    #expect(try exclusion("read-under-write", .suspended, .staged) == nil)
  }

  @Test("a guest's disk stands in for a target that nobody named")
  func scratch() throws {
    var selection = Selection(scenarios: ["fork"])
    selection.scratch = TargetSpec(.scratch, path: "/dev/vda", overwrite: true, isOptional: true)
    let cases = selection.expand(try selection.chosenScenarios(), depth: 1).cases
    let races = cases.filter { $0.schedule == .race }
    #expect(!races.isEmpty && races.allSatisfy { $0.target == selection.scratch })
  }
}

@Suite("Rules")
struct RuleTests {
  private func reason(_ text: String, depth: Int = 1) throws -> String? {
    let name = try #require(CaseName(text))
    return Case(
      scenario: try #require(Scenario.named(name.scenario)),
      memory: try #require(MemoryKind.named(name.memory)),
      engine: try #require(EngineKind.named(name.engine)),
      target: TargetSpec(try #require(TargetKind.named(name.target))), schedule: name.schedule
    ).exclusion(depth: depth)
  }

  @Test(
    "leave out what means nothing, and say why",
    arguments: [
      ("fork.memfd.pread.staged", "shared memory is not copied on write"),
      ("ksm.thp.pread.staged", "KSM merges base pages"),
      ("pageout.hugetlb.pread.staged", "becomes a swap entry"),
      ("mprotect.hugetlb.pread.staged", "one by one"),
      ("fork-registered.pread.staged", "takes pages when the I/O is issued"),
      ("ksm.pread.race", "never the same as its twin"),
      ("fork-write.pread.staged", "has the bytes before the hazard acts"),
      ("fork.pread.held.race", "nothing races"),
      ("combined.pread.staged", "its agents act all the time"),
      ("recipe-2008.pread.race", "its agents act all the time"),
      ("mprotect.pread.free", "its steps have an order"),
      ("fork.hugetlb.pread.free", "at most"), ("fork.forked.pread.free", "ends the state"),
      ("fork.readv.free", "share the descriptor's position"),
      ("control-remap.io_uring-fixed.free", "holds all pages always"),
      ("fork.libaio.scratch.staged", "the fault of the last holds no other"),
      ("fork-read2.pread.held-block-4k.staged", "leaves no part to a second"),
    ])
  func left(name: String, words: String) throws {
    let reason = try reason(name)
    #expect(reason?.contains(words) == true, "\(reason ?? "kept")")
  }

  @Test(
    "keep what asks something",
    arguments: [
      "fork.pread.staged", "fork.hugetlb.libaio.held-block.staged", "move_pages.memfd.pread.staged",
      "combined.pread.free", "recipe-2008.pread.free", "fork.io_uring.free",
    ])
  func kept(name: String) throws { #expect(try reason(name) == nil) }

  @Test("memory has its depth")
  func depth() throws {
    #expect(try reason("fork.hugetlb.pread.staged", depth: 8) == nil)
    #expect(try reason("fork.hugetlb.pread.staged", depth: 9)?.contains("at most") == true)
  }
}
