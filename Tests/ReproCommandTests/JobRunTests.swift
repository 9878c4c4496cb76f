import Foundation
import Glibc
import Repro
import TestHost
import Testing

/// `--jobs 2`: what one worker says, two say; and they end as it does.
@Suite(
  "repro run: several jobs", .serialized, .exclusive,
  .enabled(
    if: Machine.canHold && sysconf(CInt(_SC_NPROCESSORS_ONLN)) > 1, "needs root, /dev/fuse and two CPUs"))
struct JobRunTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Losses on purpose, cases that two jobs share, and a hazard that acts on the whole machine between them.
  private static let words = [
    "run", "control-remap", "fork", "ksm", "mprotect", "fork-remote-store", "--schedule", "staged",
    "--engine",
    "pread",
    "--engine", "libaio", "--target", "held", "--target", "held-block", "--seed", "7",
  ]

  private func events(_ name: String) throws -> [Event] {
    try folder.read(name).split(separator: "\n").map {
      try JSONDecoder().decode(Event.self, from: Data($0.utf8))
    }
  }

  private func run(_ jobs: Int, _ more: [String]) throws -> (end: StartedProgram.End, events: [Event]) {
    let name = "\(jobs).jsonl"
    let end = try StartedProgram.run(
      Self.words + more + ["--format", "jsonl", "--output", folder(name), "--jobs", "\(jobs)"])
    return (end, try events(name))
  }

  private static func results(_ events: [Event]) -> [CaseResult] {
    events.compactMap { if case .result(let result) = $0 { result } else { nil } }
  }

  private static func trials(_ events: [Event]) -> [String] {
    events.compactMap { if case .trial(let one) = $0 { "\(one.case) \(one.trial) \(one.lost)" } else { nil } }
  }

  @Test("sums, verdicts, trials, their order and the exit code are those of one")
  func same() throws {
    let before = HostSnapshot.quiet()
    let (one, first) = try run(1, ["--trials", "10"])
    let (two, second) = try run(2, ["--trials", "10"])
    #expect(two.code == one.code && one.code == 1, "\(two.errors)")
    #expect(Self.results(second).map(\.case) == Self.results(first).map(\.case))
    #expect(Self.results(second).map(\.verdict) == Self.results(first).map(\.verdict))
    func sums(_ events: [Event]) -> [[Int]] {
      Self.results(events).map { [$0.count.trials, $0.count.lostTrials, $0.count.losses] }
    }
    #expect(sums(second) == sums(first))
    #expect(Self.trials(second) == Self.trials(first))
    guard case .end(let end) = second.last, case .end(let other) = first.last else { return }
    #expect(end.verdict == other.verdict && end.reason == other.reason)
    #expect(
      second.contains {
        if case .note(let note) = $0 { note.text.contains("shared by 2 jobs") } else { false }
      })
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before)
  }

  @Test("more jobs than CPUs are refused, by the process's own CPUs")
  func tooMany() throws {
    let end = try StartedProgram(
      ["taskset", "-c", "0", StartedProgram.repro, "run", "fork", "--schedule", "staged", "--jobs", "2"]
    ).finish()
    #expect(end.code == 2)
    #expect(end.errors == "repro: error: --jobs 2: each needs a CPU, and this process has 1: 1 at most\n")
  }

  /// The CPUs that each of the program's processes may use.
  private func cpus(_ run: StartedProgram) -> [String] {
    run.workers.compactMap { pid in
      let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
      return status?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list") }
        .map { String($0.dropFirst("Cpus_allowed_list:\t".count)) }
    }
  }

  private func started(_ more: [String] = []) throws -> StartedProgram {
    let run = try StartedProgram(
      repro: [
        "run", "fork", "mprotect", "fork-child-stays", "--schedule", "staged", "--engine", "pread", "--time",
        "1",
        "--trials", "1000000", "--format", "jsonl", "--output", folder("report"), "--jobs", "2",
      ] + more)
    // Until both jobs have a trial.
    while run.isRunning, (try? folder.read("report").contains(#""event":"trial""#)) != true { usleep(1000) }
    return run
  }

  @Test("each has CPUs of its own")
  func apart() throws {
    let run = try started()
    let sets = Set(cpus(run))
    kill(run.pid, SIGTERM)
    _ = try run.finish(within: 20)
    // All of them for who tells.
    #expect(sets.count >= 3, "\(sets)")
  }

  @Test("the kill of one job ends all, as an error, and leaves nothing", arguments: [1, 2])
  func killed(job: Int) throws {
    let before = HostSnapshot.quiet()
    let run = try started()
    let workers = run.workers
    try #require(workers.count == 3, "one tells, two are jobs")
    kill(workers[job], SIGKILL)
    let end = try run.finish(within: 30)
    #expect(end.code == 2, "\(end.errors)")
    #expect(
      end.errors.contains("the harness was ended by signal 9: a bug of repro or a kill, not corruption"))
    #expect(run.remains(after: 5).isEmpty)
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before)
    guard case .end(let last) = try events("report").last else {
      Issue.record("no end")
      return
    }
    let results = Self.results(try events("report"))
    #expect(last.verdict == .error && results.contains { $0.verdict == .error })
  }

  @Test("the kill of who tells ends all, too")
  func tellerKilled() throws {
    let before = HostSnapshot.quiet()
    let run = try started()
    kill(try #require(run.workers.first), SIGKILL)
    let end = try run.finish(within: 30)
    #expect(end.code == 2 && end.errors.contains("ended by signal 9"), "\(end.errors)")
    #expect(run.remains(after: 5).isEmpty)
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before)
  }

  @Test("a crash after a proved loss is corrupt")
  func crashed() throws {
    let run = try started(["control-remap"])
    kill(try #require(run.workers.last), SIGSEGV)
    let end = try run.finish(within: 30)
    #expect(end.errors.contains("ended by signal \(SIGSEGV)"), "\(end.errors)")
    #expect(end.code == 1 || end.code == 2)
    #expect((end.code == 1) == end.errors.contains("after it had proved a loss"))
  }

  @Test("a request to stop ends all, with a result for each case", arguments: [SIGINT, SIGTERM])
  func stopped(signal: Int32) throws {
    let before = HostSnapshot.quiet()
    let run = try started(["ksm"])
    kill(run.pid, signal)
    let end = try run.finish(within: 30)
    #expect(end.code == 128 + signal, "\(end.errors)")
    #expect(run.remains(after: 5).isEmpty)
    let events = try events("report")
    guard case .run(let start) = events.first, case .end(let last) = events.last else {
      Issue.record("no start or end")
      return
    }
    #expect(Self.results(events).map(\.case) == start.cases && last.interruptedBy == signal)
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before)
  }

  @Test("a soak of jobs sums as its file does")
  func soak() throws {
    let end = try StartedProgram.run([
      "soak", "fork", "mprotect", "--schedule", "staged", "--engine", "pread", "--memory", "anon", "--target",
      "held",
      "--time", "0.3", "--for", "2", "--output", folder("soak"), "--jobs", "2",
    ])
    let expected: Set<Int32> = [0, 1]
    #expect(expected.contains(end.code ?? 9), "\(end.errors)")
    let merged = try StartedProgram.run(["merge", folder("soak"), "-o", folder("merged")])
    #expect(merged.code == end.code, "\(merged.errors)")
    let runs = try events("soak").count { if case .run = $0 { true } else { false } }
    let results = Self.results(try events("soak"))
    #expect(runs > 1 && results.count == 2 * runs)
  }
}
