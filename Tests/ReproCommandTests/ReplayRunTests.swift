import Foundation
import Glibc
import TestHost
import Testing

@testable import Repro

/// `repro replay` runs case after case, and each changes the host: one request to stop ends them all, and
/// the host is as it was.
@Suite(
  "repro replay: stopped", .serialized, .exclusive,
  .enabled(if: Machine.canHold, "needs root and /dev/fuse"))
struct ReplayRunTests {
  private static let cases = 8

  private let folder: TemporaryFolder

  /// Pages are added to the hugetlb pool for each case. Not KSM: guests on the machine make it slow.
  init() throws {
    folder = try TemporaryFolder()
    let made = try StartedProgram.run(
      "run", "fork", "--schedule", "staged", "--memory", "hugetlb", "--engine",
      "pread,libaio,io_uring,io_uring-fixed", "--target", "held", "--target", "held-block", "--trials", "3",
      "--format", "jsonl", "--output", folder("report"))
    try #require([0, 1].contains(made.code), "\(made)")
  }

  private func replay(_ times: Int) -> [String] { ["replay", folder("report"), "--times", "\(times)"] }

  /// How many cases the program has begun to report.
  private func begun(_ end: StartedProgram.End) -> Int {
    end.output.split(separator: "\n").count { $0.hasPrefix("seed ") }
  }

  @Test("undisturbed, it runs every case")
  func undisturbed() throws {
    let before = HostSnapshot.quiet()
    let end = try StartedProgram.run(replay(1))
    #expect([0, 1].contains(end.code), "\(end)")
    #expect(begun(end) == Self.cases)
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before)
  }

  @Test(
    "a signal in a case leaves the others out", arguments: [SIGINT, SIGTERM, SIGHUP, SIGQUIT],
    ["main", "worker"])
  func stopped(signal: Int32, victim: String) throws {
    let before = HostSnapshot.quiet()
    let run = try StartedProgram(repro: replay(100_000))
    let worker = try #require(run.startedWorker())
    usleep(.random(in: 100_000..<300_000))
    kill(victim == "main" ? run.pid : worker, signal)
    let end = try run.finish(within: 20)
    #expect(end.code == 128 + signal, "\(end)")
    #expect(end.errors == "repro: stopped by signal \(signal): 7 of 8 runs are left out\n")
    #expect(begun(end) == 1)
    #expect(run.remains(after: 5).isEmpty)
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before)
  }

  /// The cases are so short that most signals come between two of them.
  @Test("a signal at any point ends it", arguments: [SIGINT, SIGTERM, SIGHUP, SIGQUIT], 0..<4)
  func anywhere(signal: Int32, point: Int) throws {
    var chance = SplitMix64(seed: 0, case: "\(signal)", trial: point)
    let before = HostSnapshot.quiet()
    let run = try StartedProgram(repro: replay(1))
    let delay = Double.random(in: 0..<0.6, using: &chance)
    usleep(UInt32(delay * 1e6))
    kill(run.pid, signal)
    let end = try run.finish(within: 20)
    let comment: Comment = "signal \(signal) after \(delay) s: \(end)"
    #expect(end.signal == signal || end.code == 128 + signal || begun(end) == Self.cases, comment)
    #expect(run.remains(after: 5).isEmpty, comment)
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before, comment)
  }
}
