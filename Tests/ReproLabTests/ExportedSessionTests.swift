import Foundation
import Synchronization
import Testing

@testable import Repro
@testable import ReproLab

/// Guests that run exported programs: several runs of one case each, told as one run. QEMU is a script.
@Suite("Exported programs of a guest")
struct ExportedSessionTests {
  private static let hasCompiler =
    FileManager.default.isExecutableFile(atPath: "/usr/bin/x86_64-linux-gnu-gcc")
  private static let names = ["control-none", "fork"]

  /// The lines of one program.
  private static func lines(_ scenario: String, _ verdict: Verdict, isSound: Bool = true) -> [String] {
    var result = FakeOutcome.result(scenario, verdict)
    result.path = .fuse
    result.count.unexplained = 0
    var start = FakeOutcome.start("6.1.176", [result.case])
    (start.byteOrder, start.suite) = ("big", nil)
    var control = ControlResult(
      Lane(memory: .anon, engine: .pread, target: TargetSpec(.held), schedule: .staged))
    control.trials = 3
    control.fired = isSound ? 3 : 2
    control.isSound = isSound
    let events: [Event] = [
      .run(start), .control(control), .result(result), .end(RunEnd(verdict: verdict, seconds: 1)),
    ]
    return events.map { JSONText.line($0) }
  }

  private func run(
    _ lines: [String], onConsole: Bool = false
  ) async throws -> (outcome: GuestSession.Outcome, events: [Event]) {
    let all = lines + [#"{"event":"exit","status":0}"#]
    let console = try FakeGuest.console("finished-6.12")
    let boot = FakeGuest.Boot(
      console: console + (onConsole ? all.map { "\($0)\r\n" }.joined() : ""), lines: onConsole ? [] : all)
    let guest = try FakeGuest([boot])
    var plan = Plan(Selection(scenarios: Self.names), seed: Seed(1))
    for (key, value) in [("engine", "pread"), ("schedule", "staged"), ("memory", "anon"), ("target", "held")]
    {
      try plan.set(key, value)
    }
    let template = try guest.session(plan)
    let machine = try #require(Architecture.named("x86-64"))
    var session = GuestSession(
      kernel: template.kernel, plan: plan, exitCodes: .default, payload: .exported(machine))
    session.qemu = template.qemu
    let events = Mutex<[Event]>([])
    let outcome = try await session.run { event in events.withLock { $0.append(event) } }
    return (outcome, events.withLock { $0 })
  }

  @Test("many programs are one run, with what only the host knows", .enabled(if: hasCompiler))
  func merged() async throws {
    let (outcome, events) = try await run(Self.lines("control-none", .clean) + Self.lines("fork", .corrupt))
    #expect(outcome.end.verdict == .corrupt && outcome.end.reason == nil)
    let starts = events.compactMap { if case .run(let start) = $0 { start } else { nil } }
    #expect(starts.count == 1 && starts[0].cases.map(\.scenario) == Self.names)
    #expect(starts[0].byteOrder == "big" && starts[0].plan.seed == Seed(1))
    #expect(events.count { if case .control = $0 { true } else { false } } == 1)
    #expect(events.count { if case .end = $0 { true } else { false } } == 1)
    #expect(outcome.results.map(\.bugs) == [[], ["fork-fuse"]])
    #expect(outcome.results[0].upperBound != nil && outcome.results[1].upperBound == nil)
    #expect(events.contains(.note(Note(ExportedEvents.limits))))
  }

  @Test("lines on the console count where the kernel has no port", .enabled(if: hasCompiler))
  func console() async throws {
    let lines = Self.lines("control-none", .clean) + Self.lines("fork", .clean)
    let (outcome, _) = try await run(lines, onConsole: true)
    #expect(outcome.end.verdict == .clean && outcome.results.count == 2)
  }

  @Test("a program that says nothing makes the run an error, not clean", .enabled(if: hasCompiler))
  func silent() async throws {
    let (outcome, _) = try await run(Self.lines("control-none", .clean))
    #expect(outcome.end.verdict == .error)
    #expect(outcome.end.reason?.hasSuffix("the guest reported 1 of 2 cases") == true)
  }

  @Test("a control that failed is shown, also of a lane that has been", .enabled(if: hasCompiler))
  func unsound() async throws {
    let lines = Self.lines("control-none", .clean) + Self.lines("fork", .error, isSound: false)
    let (outcome, events) = try await run(lines)
    let controls = events.compactMap { if case .control(let control) = $0 { control.isSound } else { nil } }
    #expect(controls == [true, false] && outcome.end.verdict == .error)
  }

  @Test("a compiler that is not there is an error that names its packages")
  func noCompiler() async throws {
    var text = try #require(
      String(contentsOf: Self.records, encoding: .utf8).components(separatedBy: "\n\n")
        .first { $0.contains("name: s390x\n") })
    text = text.replacing("compiler: s390x-linux-gnu-gcc", with: "compiler: no-such-gcc")
    let machine = try #require(try Architecture.parse(text).first)
    let programs = try ExportedPrograms(Plan(Selection(scenarios: ["fork"]), seed: Seed(1)))
    let error = await #expect(throws: LabError.self) { try await programs.compiled(for: machine) }
    #expect(
      error?.description == "no-such-gcc is not on this machine; apt-get install gcc-s390x-linux-gnu "
        + "libc6-dev-s390x-cross")
  }

  private static let records = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../fixtures/architectures.txt").standardized

  @Test("what can't be exported is left out with its reason, and all of it is an error")
  func leftOut() throws {
    var plan = Plan(Selection(scenarios: ["fork"]), seed: Seed(1))
    let programs = try ExportedPrograms(plan)
    #expect(programs.leftOut.map(\.case.target).contains("held-nfs"))
    #expect(programs.cases.contains { $0.target.kind.name == "scratch" })
    try plan.set("schedule", "race")
    #expect(throws: LabError.self) { try ExportedPrograms(plan) }
  }
}
