import Testing

@testable import Repro

/// Which cases jobs share, and on which CPUs.
@Suite("Jobs: the split")
struct JobSplitTests {
  /// Every scenario and pair on every memory, engine, target and schedule that means something.
  private static let everything: [Case] = {
    var selection = Selection(scenarios: ["*"])
    selection.isExhaustive = true
    return selection.expand(Scenario.all + Scenario.pairs, depth: 1).cases
  }()

  private static func cases(
    _ scenarios: [String], _ schedules: [Schedule] = [.staged], targets: [TargetSpec] = []
  ) throws -> [Case] {
    var selection = Selection(scenarios: scenarios)
    selection.schedules = schedules
    selection.targets = targets
    return selection.expand(try selection.chosenScenarios(), depth: 1).cases
  }

  @Test("nothing is left out or done twice, and only what keeps to its process is shared")
  func everyCase() throws {
    let split = try JobSplit(Self.everything, jobs: 3, cpus: Array(0..<6))
    #expect(split.alone.count > 500 && split.shared.count > 500)
    #expect(
      Set((split.alone + split.shared).map(\.name)) == Set(Self.everything.map(\.name))
        && split.alone.count + split.shared.count == Self.everything.count)
    for one in split.shared {
      #expect(one.parts.allSatisfy { $0.settings.isEmpty }, "\(one.name) would change the host")
      #expect(one.schedule != .free, "\(one.name)")
      let words = "\(one.scenario.name) \(one.memory.name)"
      #expect(
        words.firstMatch(of: /ksm|swap|pageout|reclaim|khugepaged|compaction|offline|numa|cgroup|thp|hugetlb/)
          == nil
          || ["thp-split", "mapped-reclaim"].contains(one.scenario.name), "\(one.name)")
    }
    // In the plan's order.
    let places = Dictionary(uniqueKeysWithValues: Self.everything.enumerated().map { ($1.name, $0) })
    for part in [split.alone, split.shared] {
      let order = part.compactMap { places[$0.name] }
      #expect(order == order.sorted())
    }
  }

  @Test("what a hazard or a memory does to the machine, it does alone")
  func alone() throws {
    func isAlone(_ name: String) throws -> Bool {
      try #require(Self.everything.first { "\($0.name)" == name }, "\(name)").runsAlone
    }
    for name in [
      "ksm.pread.staged", "pageout.pread.staged", "compaction.pread.staged", "move_pages.pread.race",
      "soft-offline.pread.staged", "combined.pread.free", "fork.thp.pread.staged",
      "fork.hugetlb.pread.staged",
      "fork.swapped.pread.staged", "fork.ksm-merged.pread.staged", "fork.pread.free",
      "ksm-then-fork.pread.staged", "fork.pread.suspended.staged",
    ] { #expect(try isAlone(name), "\(name)") }
    for name in [
      "fork.pread.staged", "fork.pread.race", "fork.memfd-private.pread.staged", "mprotect.libaio.staged",
      "soft-dirty.pread.staged", "fork.pread.held-block.staged", "fork.pread.held-nfs.staged",
      "fork.forked.pread.staged", "cold.pread.staged", "mprotect-then-fork.pread.staged",
    ] { #expect(try !isAlone(name), "\(name)") }
  }

  @Test("one file or device is not for two jobs, a folder is")
  func targets() throws {
    for (path, isAlone) in [("/tmp", false), ("/dev/null", true), ("/tmp/no-such-file", true)] {
      let cases = try Self.cases(["fork"], [.race], targets: [TargetSpec(.scratch, path: path)])
      #expect(!cases.isEmpty && cases.allSatisfy { $0.runsAlone == isAlone }, "\(path)")
    }
  }

  @Test("jobs have CPUs of their own, out of those that are allowed", arguments: 1...9)
  func cpus(jobs: Int) throws {
    let allowed = [3, 4, 5, 8, 9, 10, 11, 12, 40]
    let split = try JobSplit(Self.cases(["fork"]), jobs: jobs, cpus: allowed)
    #expect(split.cpus.count == jobs && split.cpus.allSatisfy { $0.count == 9 / jobs })
    #expect(Set(split.cpus.joined()).count == split.cpus.joined().count)
    #expect(Set(split.cpus.joined()).isSubset(of: allowed))
  }

  @Test("a case that needs a second CPU is run alone where jobs have one")
  func narrow() throws {
    let cases = try Self.cases(["fork", "fork-remote-store"])
    let narrow = try JobSplit(cases, jobs: 2, cpus: [0, 1])
    #expect(Set(narrow.alone.map(\.scenario.name)).contains("fork-remote-store"))
    #expect(Set(narrow.shared.map(\.scenario.name)) == ["fork"])
    let wide = try JobSplit(cases, jobs: 2, cpus: [0, 1, 2, 3])
    #expect(Set(wide.shared.map(\.scenario.name)) == ["fork", "fork-remote-store"])
  }

  @Test("no job is made that has no case")
  func few() throws {
    let one = Array(try Self.cases(["fork"]).prefix(1))
    #expect(try JobSplit(one, jobs: 4, cpus: Array(0..<8)).cpus.count == 1)
    #expect(try JobSplit(Self.cases(["ksm"]), jobs: 4, cpus: Array(0..<8)).cpus.isEmpty)
  }

  @Test("too many are refused in a line that says how many there may be")
  func tooMany() throws {
    func refusal(_ cases: [Case], _ jobs: Int, _ cpus: Int) -> String? {
      #expect(throws: PlanError.self) { try JobSplit(cases, jobs: jobs, cpus: Array(0..<cpus)) }?.description
    }
    let racing = try Self.cases(["fork"], [.staged, .race])
    #expect(
      refusal(racing, 3, 5)
        == "--jobs 3: each needs two CPUs to race on, and this process has 5: 2 at most (5 with --schedule staged)"
    )
    #expect(
      try refusal(Self.cases(["fork"]), 3, 2)
        == "--jobs 3: each needs a CPU, and this process has 2: 2 at most")
    #expect(
      refusal(racing, 2, 1) == "--jobs 2: each needs two CPUs to race on, and this process has 1: 1 at most")
    #expect(try JobSplit(racing, jobs: 1, cpus: [0]).cpus.count == 1)
  }

  @Test("this process has CPUs")
  func allowed() {
    #expect(!JobSplit.allowedCPUs.isEmpty)
    #expect(Set(JobSplit.allowedCPUs).count == JobSplit.allowedCPUs.count)
  }
}
