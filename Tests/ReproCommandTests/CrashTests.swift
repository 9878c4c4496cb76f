import Foundation
import Glibc
import TestHost
import Testing

@testable import Repro

/// Runs with a held I/O are ended by signals at random points. None may hang, say nothing of the signal, or
/// leave anything on the host. REPRO_STORM=N makes it N points for each signal, engine and target.
@Suite(
  "repro: ended by a signal", .serialized, .exclusive,
  .enabled(if: Machine.canHold, "needs root and /dev/fuse"))
final class CrashTests {
  private let settings = KSMSettings()

  deinit { settings.restore() }

  /// A signal, and what it means to a run.
  struct Signal: CustomStringConvertible {
    enum Meaning { case crash, kill, stop }
    let number: Int32
    let description: String
    let meaning: Meaning

    static let all = [
      Signal(number: SIGSEGV, description: "SIGSEGV", meaning: .crash),
      Signal(number: SIGILL, description: "SIGILL", meaning: .crash),
      Signal(number: SIGABRT, description: "SIGABRT", meaning: .crash),
      Signal(number: SIGBUS, description: "SIGBUS", meaning: .crash),
      Signal(number: SIGFPE, description: "SIGFPE", meaning: .crash),
      Signal(number: SIGTRAP, description: "SIGTRAP", meaning: .crash),
      Signal(number: SIGKILL, description: "SIGKILL", meaning: .kill),
      Signal(number: SIGQUIT, description: "SIGQUIT", meaning: .stop),
      Signal(number: SIGINT, description: "SIGINT", meaning: .stop),
      Signal(number: SIGTERM, description: "SIGTERM", meaning: .stop),
      Signal(number: SIGHUP, description: "SIGHUP", meaning: .stop),
    ]
  }

  private enum Victim: String, CaseIterable { case worker, main }

  private static let engines = ["pread", "libaio", "io_uring", "io_uring-fixed"]
  private static let targets = ["held", "held-block"]
  private static let points =
    ProcessInfo.processInfo.environment["REPRO_STORM"].flatMap { Int($0) } ?? 2

  /// Exit codes of a run that was over before its signal came.
  private static let ended: Set<Int32> = [0, 1, 3, 4]

  private static func run(_ engine: String, _ target: String) -> [String] {
    [
      "run", "fork", "ksm", "--schedule", "staged", "--memory", "anon", "--engine", engine, "--target",
      target,
      "--time", "0.2", "--trials", "1000000",
    ]
  }

  /// Seconds that an undisturbed run takes.
  private static let duration: Double = {
    let start = Date.now
    _ = try? StartedProgram.run(run("pread", "held"))
    return Date.now.timeIntervalSince(start)
  }()

  // MARK: At random points

  @Test("repro run ends, says why and leaves nothing", arguments: Signal.all, engines)
  func run(signal: Signal, engine: String) throws {
    for (index, target) in Self.targets.enumerated() {
      for point in 0..<Self.points {
        var chance = SplitMix64(seed: 0, case: "\(signal) \(engine) \(target)", trial: point)
        // Each point in its part of the run, half of them in the worker.
        let delay = (Double(point) + .random(in: 0..<1, using: &chance)) / Double(Self.points)
        try end(
          Self.run(engine, target), signal, (point + index) % 2 == 0 ? .worker : .main,
          after: delay * Self.duration)
      }
    }
  }

  @Test("a sealed reproducer ends, says why and leaves nothing", arguments: Signal.all)
  func sealed(signal: Signal) throws {
    let folder = try TemporaryFolder()
    let made = try StartedProgram.run(
      "seal", "ksm", "-o", folder("sealed"), "--trials", "1000", "--engine", "libaio", "--target",
      "held-block",
      "--one-shot", StartedProgram.built("oneshot"))
    #expect(made.code == 0, "\(made.errors)")
    var chance = SplitMix64(seed: 0, case: "\(signal) sealed", trial: 0)
    for victim in Victim.allCases {
      try end([folder("sealed")], signal, victim, after: .random(in: 0..<Self.duration, using: &chance))
    }
  }

  /// Sends `signal` once the program has run for `delay` seconds, and checks all that must be so then.
  private func end(_ command: [String], _ signal: Signal, _ victim: Victim, after delay: Double) throws {
    let comment: Comment = "\(signal) to the \(victim.rawValue) of \(command) after \(delay) s"
    let before = HostSnapshot.quiet()
    let words = command[0].hasPrefix("/") ? command : [StartedProgram.repro] + command
    // Swift's own handler goes on after a signal that somebody sent; it must be out of the worker anyway.
    let run = try StartedProgram(
      words, additions: victim == .main ? ["SWIFT_BACKTRACE": "enable=no"] : [:])
    usleep(UInt32(delay * 1e6))
    if let pid = victim == .main ? run.pid : run.startedWorker() { kill(pid, signal.number) }
    let end = try finish(run, before, comment)

    switch (signal.meaning, victim) {
    case (.crash, .worker), (.kill, .worker):
      #expect(Self.ended.contains(end.code ?? 0) || end.code == 2, comment)
      if end.code == 2 { #expect(end.errors.contains("ended by signal \(signal.number):"), comment) }
    case (.crash, .main), (.kill, .main):
      #expect(end.signal == signal.number || Self.ended.contains(end.code ?? 2), comment)
      // Nobody was left to put the host back: the next run does.
      let next = try StartedProgram.run(
        "run", "ksm", "--schedule", "staged", "--memory", "anon", "--engine", "pread", "--target", "held",
        "--trials", "1")
      #expect(Self.ended.contains(next.code ?? 2), "\(comment): \(next.errors)")
    case (.stop, _):
      #expect(
        end.signal == signal.number || end.code == 128 + signal.number || Self.ended.contains(end.code ?? 2),
        comment)
    }
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before, comment)
  }

  /// Waits for the end of the program and of all its processes, 20 seconds at most; after that, the machine
  /// is freed of what hangs.
  private func finish(
    _ run: StartedProgram, _ before: HostSnapshot, _ comment: Comment
  ) throws -> StartedProgram.End {
    defer {
      let left = run.remains(after: 5)
      #expect(left.isEmpty, comment)
      if !left.isEmpty {
        for (pid, _) in left { kill(pid, SIGKILL) }
        HostSnapshot.abortConnections(since: before)
      }
    }
    return try run.finish(within: 20)
  }

  // MARK: After a loss

  @Test(
    "a loss proved before the crash decides, for all callers",
    arguments: [
      ("default", 1), ("bisect", 1), ("ltp", 1),
    ])
  func afterLoss(dialect: String, code: Int32) throws {
    let end = try crashedAfterTrials(of: "control-remap", dialect)
    #expect(end.code == code)
    #expect(end.errors.contains("ended by signal \(SIGSEGV): a bug of repro or a kill, after it had proved"))
  }

  @Test("a crash after trials that lost nothing is an error", arguments: [("default", 2), ("bisect", 125)])
  func afterNoLoss(dialect: String, code: Int32) throws {
    let end = try crashedAfterTrials(of: "control-none", dialect)
    #expect(end.code == code)
    #expect(end.errors.contains("ended by signal \(SIGSEGV): a bug of repro or a kill, not corruption"))
  }

  /// A run whose worker crashes once it has reported a trial.
  private func crashedAfterTrials(of scenario: String, _ dialect: String) throws -> StartedProgram.End {
    let folder = try TemporaryFolder()
    let run = try StartedProgram(repro: [
      "run", scenario, "--schedule", "staged", "--memory", "anon", "--engine", "pread", "--target", "held",
      "--trials", "1000000", "--format", "jsonl", "--output", folder("report"), "--exit-codes", dialect,
    ])
    while run.isRunning, (try? folder.read("report").contains(#""event":"trial""#)) != true { usleep(1000) }
    if let worker = run.worker { kill(worker, SIGSEGV) }
    return try run.finish(within: 20)
  }

  // MARK: From inside

  @Test(
    "a crash is told, and the signal reported",
    arguments: [
      ("null", "SIGSEGV at 0x8\n", SIGSEGV), ("trap", "SIGILL at 0x", SIGILL),
      ("abort", "SIGABRT\n", SIGABRT),
      ("overflow", "SIGSEGV at 0x", SIGSEGV), ("thread-overflow", "SIGSEGV at 0x", SIGSEGV),
    ])
  func crash(how: String, told: String, signal: Int32) throws {
    let end = try StartedProgram([StartedProgram.built("Crasher"), how]).finish(within: 20)
    #expect(end.errors.contains("repro: the harness crashed: \(told)"))
    #expect(end.output == "killed(signal: \(signal))\n")
  }

  @Test(
    "a child that crashes ends alone, and one is born on a stack that was hidden",
    arguments: ["child", "used-stack"])
  func child(how: String) throws {
    let end = try StartedProgram([StartedProgram.built("Crasher"), how]).finish(within: 20)
    #expect(end.output == "exited(0)\n")
    #expect(end.errors == "")
  }

  @Test(
    "the FUSE connection of a worker that can't be killed is aborted",
    arguments: [("hang", "timedOut"), ("hang-trap", "killed(signal: \(SIGILL))")])
  func hang(how: String, ending: String) throws {
    let before = HostSnapshot()
    let run = try StartedProgram([StartedProgram.built("Crasher"), how])
    let end = try finish(run, before, "\(how)")
    #expect(end.output == "\(ending)\n")
    #expect(end.errors.contains(/its FUSE connection [0-9]+ was aborted/))
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before)
  }
}
