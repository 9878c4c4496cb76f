import Foundation
import TestHost
import Testing

@testable import Repro

@Suite("Export to C", .exclusive)
struct CExportTests {
  static let exportable = [
    "control-remap", "control-none", "fork", "fork-child-stays", "fork-child-reads", "fork-child-writes",
    "fork-remote-store", "fork-read2", "fork-registered", "mprotect-then-fork", "none-late", "mprotect",
    "soft-dirty", "pageout", "move_pages", "ksm", "madvise-dontfork-fork", "cold", "fork-vm-write",
    "fork-mem-write", "madv-free", "mbind", "migrate_pages", "ksm-swap", "madvise-wipeonfork-fork", "vfork",
    "posix_spawn",
  ]

  /// One axis varied at a time, as the default plan has it.
  static let varied = [
    "fork.readv.staged", "fork.preadv2.staged", "fork.libaio.staged", "fork.io_uring.staged",
    "fork.io_uring-fixed.staged",
    "fork.thp.pread.staged", "fork.hugetlb.pread.staged", "fork.mlocked.pread.staged",
    "control-none.memfd.pread.staged",
    "fork.pread.held-block.staged", "fork.pread.held-block-4k.staged",
    "fork-child-stays.thp.io_uring-fixed.held-block.staged", "fork.pread.scratch.staged",
    "fork.readv.scratch.staged", "fork-child-reads.preadv2.scratch.staged",
    "fork-registered.io_uring-fixed.held-block.staged",
  ]
  static let all = exportable.map { "\($0).\(engine(of: $0)).staged" } + varied

  /// The engine that a scenario is usually run with.
  static func engine(of scenario: String) -> String {
    scenario == "fork-registered" ? "io_uring-fixed" : "pread"
  }

  static func export(_ text: String) throws -> CExport { try CExport(try #require(CaseName(text))) }

  /// A folder of C programs, removed with its owner.
  private final class Programs {
    let folder = NSTemporaryDirectory() + "/repro-cexport-\(UUID().uuidString)"

    init() throws {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func compile(_ name: String) throws -> String {
      let program = "\(folder)/\(name)"
      try CExportTests.export(name).source.write(toFile: program + ".c", atomically: true, encoding: .utf8)
      let (status, output) = try Self.run(
        "/usr/bin/env",
        ["cc", "-Wall", "-Wextra", "-Werror", "-O2", "-static", program + ".c", "-o", program])
      try #require(status == 0, "\(output)")
      return program
    }

    static func run(_ path: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: path)
      process.arguments = arguments
      let pipe = Pipe()
      process.standardOutput = pipe
      process.standardError = pipe
      try process.run()
      let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
      process.waitUntilExit()
      return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
  }

  private static let hasCompiler = (try? Programs.run("/usr/bin/env", ["cc", "--version"]).status) == 0
  private static let canRun = hasCompiler && geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0

  @Test("just the scenarios of one hazard, one read and one store are exported")
  func whichOnes() {
    for scenario in Scenario.all where scenario.direction == .read {
      let isExported = (try? Self.export("\(scenario.name).\(Self.engine(of: scenario.name)).staged")) != nil
      #expect(isExported == Self.exportable.contains(scenario.name), "\(scenario.name)")
    }
    let race = Case(
      scenario: .quiet, memory: .anon, engine: .pread, target: TargetSpec(.scratch), schedule: .race)
    #expect(throws: PlanError.self) { try CExport(race) }
    let shared = Case(
      scenario: Scenario.named("fork") ?? .quiet, memory: .memfd, engine: .pread, target: TargetSpec(.held),
      schedule: .staged)
    #expect(throws: PlanError.self) { try CExport(shared) }
    #expect(throws: PlanError.self) { try Self.export("fork.pread.held-nfs.staged") }
    // A fault holds one read; this has two.
    #expect(throws: PlanError.self) { try Self.export("fork-read2.pread.scratch.staged") }
  }

  @Test("every case that stages one of them is exported, and is a program of at most 700 lines")
  func everyCase() throws {
    var selection = Selection(scenarios: Self.exportable)
    selection.isExhaustive = true
    selection.schedules = [.staged]
    let cases = selection.expand(try selection.chosenScenarios(), depth: 1).cases
      .filter { $0.target.kind.c != nil && !$0.memory.isState }
      .filter { !($0.target.kind.holdsByFault && $0.scenario.steps.toucher == .secondRead) }
    #expect(cases.count > 150)
    for one in cases {
      let lines = try CExport(one).source.split(separator: "\n", omittingEmptySubsequences: false)
      // A third of it is what every program can do: tell programs, and be process 1.
      #expect(lines.count <= 700, "\(one.name): \(lines.count)")
    }
  }

  @Test("the source is short, complete and in the kernel's style", arguments: all)
  func source(text: String) throws {
    let name = try #require(CaseName(text))
    let scenario = try #require(Scenario.named(name.scenario))
    let source = try Self.export(text).source
    #expect(source.hasSuffix("}\n"))
    #expect(source.firstMatch(of: /@[a-zA-Z]+@/) == nil)
    for line in source.split(separator: "\n", omittingEmptySubsequences: false) {
      #expect(line.firstMatch(of: /^  |[ \t]$/) == nil, "\(line)")
      #expect(Self.width(line) <= 100, "\(line)")
    }
    #expect(source.hasPrefix("/*\n * \(scenario.name): \(scenario.summary.prefix(20))"))
    for line in scenario.drawing.split(separator: "\n") { #expect(source.contains(" * \(line)\n")) }
    let path: IOPath =
      name.engine == "io_uring-fixed" ? .pin : TargetKind.named(name.target)?.path ?? .block
    for bug in Catalogue.standard.bugs(name, path) {
      #expect(source.contains(bug.id))
      for commit in bug.fix { #expect(source.contains(commit.hash)) }
    }
    for setting in scenario.settings {
      if case .file(let path, let value, _) = setting.change {
        #expect(source.contains("{ \"\(path)\", \"\(value)\", \"\", 0 },"))
      }
    }
  }

  @Test("it compiles without a warning", .enabled(if: hasCompiler), arguments: all)
  func compiles(name: String) throws { _ = try Programs().compile(name) }

  @Test("it runs here, and tells people and programs", .serialized, .enabled(if: canRun), arguments: all)
  func runs(text: String) throws {
    let programs = try Programs()
    let program = try programs.compile(text)
    // One after the other: both change what the host has for KSM, and put it back.
    try tellsPeople(text, program)
    try tellsPrograms(text, program)
  }

  private func tellsPeople(_ text: String, _ program: String) throws {
    let (status, output) = try Programs.run(program, ["5"])
    let lines = output.split(separator: "\n")
    let last = try #require(lines.last)
    // It says where it runs: nothing in it rests on that.
    #expect(lines[0].contains(" \(kernelPageSize)-byte pages, little endian"), "\(lines[0])")
    let name = text.prefix { $0 != "." }
    switch status {
    case 0: #expect(last == "\(name): CLEAN: no loss in 5 trials, 5 of them exposures")
    case 1:
      #expect(last == "\(name): CORRUPT: 5 of 5 reads lost data")
      #expect(output.contains("trial 0: lost read: byte 0: expected 5a, found f1; page frame 0x"))
    case 4: #expect(last.hasPrefix("\(name): SKIPPED: "))
    default: Issue.record("\(status): \(output)")
    }
    #expect(try (status == 1) == mustLose(text), "\(output)")
  }

  /// With --json it tells the suite's own events.
  private func tellsPrograms(_ text: String, _ program: String) throws {
    let name = try #require(CaseName(text))
    let (status, output) = try Programs.run(program, ["--json", "4"])
    let events = try output.split(separator: "\n").map {
      try JSONDecoder().decode(Event.self, from: Data($0.utf8))
    }
    guard case .run(let start) = events.first, case .end(let end) = events.last,
      case .result(let result) = events.dropLast().last
    else {
      Issue.record("\(output)")
      return
    }
    #expect(start.cases == [name] && start.pageSize == kernelPageSize && start.byteOrder == "little")
    #expect(result.case == name && result.verdict == end.verdict)
    #expect(ExitCodes.default.code(end.verdict) == status)
    let trials = events.compactMap { if case .trial(let trial) = $0 { trial } else { nil } }
    let controls = events.compactMap { if case .control(let control) = $0 { control } else { nil } }
    if end.verdict == .skipped, trials.isEmpty { return }
    #expect(controls.count == 1 && controls[0].isSound && controls[0].fired == 3)
    #expect(controls[0].lane == name.lane)
    #expect(trials.map(\.trial) == [0, 1, 2, 3] && result.count.trials == 4)
    #expect(result.count.lostTrials == trials.count(where: \.isLoss))
    #expect(result.count.exposedTrials == trials.count(where: \.isExposure))
    for trial in trials where trial.isLoss {
      #expect(
        trial.damage.first?.kind == .lostRead && trial.isExplained && trial.frameBefore != trial.frameAfter)
    }
  }

  /// Columns, with a tab stop every 8.
  private static func width(_ line: Substring) -> Int {
    var column = 0
    for character in line { column = character == "\t" ? (column / 8 + 1) * 8 : column + 1 }
    return column
  }

  /// What the catalogue says of the kernel that this runs on.
  private func mustLose(_ text: String) throws -> Bool {
    let name = try #require(CaseName(text))
    var names = utsname()
    uname(&names)
    let release = withUnsafeBytes(of: names.release) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    let version = KernelVersion(release: release) ?? KernelVersion(6, 18)
    let path: IOPath =
      name.engine == "io_uring-fixed" ? .pin : TargetKind.named(name.target)?.path ?? .block
    let role = try #require(Scenario.named(name.scenario)).role
    let expectation = Catalogue.standard.expectation(name, role: role, path: path, version: version)
    if case .corrupt = expectation { return true }
    return false
  }

  @Test("too few trials are inconclusive", .enabled(if: canRun))
  func inconclusive() throws {
    let programs = try Programs()
    let (status, output) = try Programs.run(programs.compile("control-none.pread.staged"), ["2"])
    #expect(
      status == 3 && output.hasSuffix("\ncontrol-none: INCONCLUSIVE: 2 exposures in 2 trials, 3 needed\n"))
  }
}
