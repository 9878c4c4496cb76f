import Foundation
import TestHost
import Testing

@testable import Repro

@Suite("Export to C", .exclusive)
struct CExportTests {
  static let exportable = Scenario.all.filter { $0.c != nil }.map(\.name)

  /// One axis varied at a time, as the default plan has it.
  static let varied = [
    "fork.readv.staged", "fork.preadv2.staged", "fork.libaio.staged", "fork.io_uring.staged",
    "fork.io_uring-fixed.staged",
    "fork.thp.pread.staged", "fork.hugetlb.pread.staged", "fork.mlocked.pread.staged",
    "control-none.memfd.pread.staged", "fork.absent.pread.staged", "fork.zero-page.pread.staged",
    "fork.zeroed.pread.staged", "fork.lazyfree.pread.staged", "fork.forked.pread.staged",
    "fork.swapped.pread.staged", "fork.swapped-in.pread.staged", "fork.swap-cache.pread.staged",
    "fork.ksm-merged.pread.staged", "fork.thp-pte.pread.staged", "fork.wide.pread.staged",
    "control-none.memfd-read.pread.staged", "fork.memfd-private.pread.staged",
    "fork.pread.held-block.staged", "fork.pread.held-block-4k.staged",
    "fork-child-stays.thp.io_uring-fixed.held-block.staged", "fork.pread.scratch.staged",
    "fork.readv.scratch.staged", "fork-child-reads.preadv2.scratch.staged",
    "fork-registered.io_uring-fixed.held-block.staged",
  ]
  static let all = exportable.map(usual) + varied

  /// The case that `repro export --c SCENARIO` writes.
  static func usual(_ scenario: String) -> String {
    let memory = Scenario.named(scenario)?.usualMemory.name ?? "anon"
    return scenario + (memory == "anon" ? "" : ".\(memory)") + ".\(engine(of: scenario)).staged"
  }

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

    func compile(_ name: String, forGuests: Bool = false) throws -> String {
      let program = "\(folder)/\(name)\(forGuests ? "-guest" : "")"
      var export = try CExportTests.export(name)
      export.isForGuests = forGuests
      try export.source.write(toFile: program + ".c", atomically: true, encoding: .utf8)
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

  @Test("a part has C, or says why not")
  func coverage() {
    func check(_ kind: String, _ name: String, has isWritten: Bool, _ reason: String?) {
      #expect(
        isWritten != (reason != nil),
        """
        \(kind) \(name): give it `c:` (docs/extending.md, "In C"), or say in `withoutC:` why it has none, in words \
        that follow "can't be exported:"
        """)
      #expect(reason?.isEmpty != true && reason?.contains("\n") != true && reason?.hasSuffix(".") != true)
    }
    for one in Scenario.all { check("scenario", one.name, has: one.c != nil, one.withoutC) }
    for one in Scenario.pairs { check("pair", one.name, has: one.c != nil, one.withoutC) }
    for one in MemoryKind.all { check("memory", one.name, has: one.c != nil, one.withoutC) }
    for one in TargetKind.all { check("target", one.name, has: one.c != nil, one.withoutC) }
  }

  @Test("what has none says why")
  func whichOnes() {
    func refusal(_ name: String) -> String {
      let error = #expect(throws: PlanError.self, "\(name)") { try Self.export(name) }
      return error?.description ?? ""
    }
    #expect(refusal("fork.pread.held-nfs.staged").contains("can't be exported: its server"))
    #expect(refusal("fork.pread.ext4.staged").contains("export --target scratch, and give"))
    #expect(refusal("compaction.pread.staged").contains("thousands of other pages"))
    #expect(refusal("ksm-then-fork.pread.staged").contains("export ksm and fork"))
    // A fault holds one read; this has two.
    #expect(refusal("fork-read2.pread.scratch.staged").contains("this has two"))
    #expect(refusal("pageout.pread.scratch.race").contains("export it staged"))
    #expect(refusal("fork.thp.pread.scratch.race").contains("proved each time"))
  }

  @Test(
    "every case that stages one of them is exported, and is a program whose experiment is 400 lines at most")
  func everyCase() throws {
    var selection = Selection(scenarios: Self.exportable)
    selection.isExhaustive = true
    selection.schedules = [.staged]
    let cases = selection.expand(try selection.chosenScenarios(), depth: 1).cases
      .filter { $0.target.kind.c != nil && $0.memory.c != nil }
      .filter { !($0.target.kind.holdsByFault && $0.scenario.steps.toucher == .secondRead) }
    #expect(cases.count > 150)
    for one in cases {
      var export = try CExport(one)
      let lines = export.source.split(separator: "\n", omittingEmptySubsequences: false)
      let rest = try #require(lines.firstIndex { $0.hasPrefix("/* ---- The rest") }, "\(one.name)")
      let head = try #require(lines.firstIndex(of: " */"))
      #expect(rest - head <= 400, "\(one.name): \(rest - head)")
      #expect(lines.count - rest <= 150, "\(one.name): \(lines.count - rest)")
      // What guests need more is beside the experiment.
      export.isForGuests = true
      let more = export.source.split(separator: "\n", omittingEmptySubsequences: false).count - lines.count
      #expect((200...215).contains(more), "\(one.name): \(more)")
    }
  }

  @Test("a race is three threads in a program of its own, which counts what it met")
  func race() throws {
    let source = try Self.export("fork.pread.scratch.race").source
    let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(try #require(lines.firstIndex { $0.hasPrefix("/* ---- The rest") }) <= 300)
    for line in lines { #expect(Self.width(line) <= 100, "\(line)") }
    #expect(source.firstMatch(of: /@[a-zA-Z]+@/) == nil && source.contains("Bug fork-block"))
  }

  @Test("it races here, and says how many reads met the hazard", .enabled(if: canRun))
  func races() throws {
    let programs = try Programs()
    let program = try programs.compile("fork.pread.scratch.race")
    let (status, output) = try Programs.run(program, ["1", NSTemporaryDirectory()])
    if status == 4 { return }  // no direct I/O there
    let numbers = try #require(
      output.firstMatch(
        of: /\n(\d+) reads, (\d+) with the hazard in flight, (\d+) that entered [^;]*; (\d+) lost\n/))
    let (reads, met, lost) = (Int(numbers.1)!, Int(numbers.2)! + Int(numbers.3)!, Int(numbers.4)!)
    #expect(reads > 0 && met <= 2 * reads)
    let loses = try mustLose("fork.pread.held-block.staged")
    #expect((status == 1) == (lost > 0) && (status == 1) == loses)
    #expect(status != 0 || met >= 100)
    let (_, none) = try Programs.run(program, ["1", "/no-such-place"])
    #expect(none.contains("fork, raced: SKIPPED: /no-such-place: No such file or directory; name a folder"))
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

  @Test("it compiles without a warning, for guests too", .enabled(if: hasCompiler), arguments: all)
  func compiles(name: String) throws {
    let programs = try Programs()
    for forGuests in [false, true] { _ = try programs.compile(name, forGuests: forGuests) }
  }

  @Test("it runs here, and tells people and programs", .serialized, .enabled(if: canRun), arguments: all)
  func runs(text: String) throws {
    let programs = try Programs()
    let program = try programs.compile(text)
    // One after the other: both change what the host has for KSM, and put it back.
    try tellsPeople(text, program)
    let forGuests = try programs.compile(text, forGuests: true)
    try tellsPeople(text, forGuests)
    try tellsPrograms(text, forGuests)
  }

  private func tellsPeople(_ text: String, _ program: String) throws {
    let (status, output) = try Programs.run(program, ["5"])
    let lines = output.split(separator: "\n")
    let last = try #require(lines.last)
    // It says where it runs: nothing in it rests on that.
    #expect(lines[0].contains(" \(kernelPageSize)-byte pages, little endian"), "\(lines[0])")
    let name = text.prefix { $0 != "." }
    switch status {
    case 0: #expect(last == "\(name): CLEAN: no loss in 5 trials, 5 of them exposures", "\(output)")
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
