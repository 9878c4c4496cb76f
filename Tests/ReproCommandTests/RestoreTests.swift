import Foundation
import Glibc
import TestHost
import Testing

/// Runs that change the host are ended at random points, by each signal, and the host must be as it
/// was: settings, swap, mounts, FUSE connections, files, processes.
@Suite(
  "repro run: the host is put back", .serialized, .exclusive,
  .enabled(if: Machine.canHold, "needs root and /dev/fuse"))
final class RestoreTests {
  /// KSM's and khugepaged's settings, swap, cgroups, children that live on and held I/O, in about the least time.
  private static let changing = [
    "run", "ksm", "pageout", "fork-child-stays", "memcg-reclaim", "ksm-cgroups", "--schedule", "staged",
    "--engine", "pread", "--trials",
    "40",
  ]
  private static let changingLittle = [
    "run", "ksm", "--schedule", "staged", "--engine", "pread", "--trials", "1",
  ]

  private let settings = KSMSettings()

  deinit { settings.restore() }

  /// Whom a signal goes to.
  enum Victim: String { case supervisor, worker }

  private static let ends: [(Int32, Victim)] = [
    (SIGINT, .supervisor), (SIGTERM, .supervisor), (SIGKILL, .supervisor), (SIGKILL, .worker),
  ]

  /// Seconds that an undisturbed run takes.
  private static let duration: Double = {
    let start = Date.now
    _ = try? StartedProgram.run(changing)
    return Date.now.timeIntervalSince(start)
  }()

  @Test("by a run that ends by itself")
  func undisturbed() throws {
    let before = HostSnapshot.quiet()
    let end = try StartedProgram.run(Self.changing)
    #expect([0, 1, 3, 4].contains(end.code), "\(end.output)\(end.errors)")
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before)
  }

  /// 20 points: each way to end it five times, each time in another fifth of the run.
  @Test("by a run that is ended", arguments: 0..<20)
  func ended(point: Int) throws {
    let (signal, victim) = Self.ends[point % Self.ends.count]
    let fifth = Double(point / Self.ends.count)
    let delay = (fifth + .random(in: 0..<1)) / 5 * Self.duration
    let comment: Comment = "signal \(signal) to the \(victim.rawValue) after \(delay) s of \(Self.duration)"

    let before = HostSnapshot.quiet()
    let run = try StartedProgram(repro: Self.changing)
    usleep(UInt32(delay * 1e6))
    if let pid = victim == .supervisor ? run.pid : run.worker { kill(pid, signal) }
    let end = try run.finish()
    let remains = run.remains(after: 20)
    #expect(remains.isEmpty, comment)

    switch (signal, victim) {
    case (SIGKILL, .supervisor):
      // Nobody was left to put the host back: the next run does.
      #expect([0, 1, 3, 4].contains(try StartedProgram.run(Self.changingLittle).code), comment)
    case (SIGKILL, .worker):
      // 2 when the harness was hit, else the run had ended.
      #expect([0, 1, 2, 3, 4].contains(end.code), comment)
      if end.code == 2 { #expect(end.errors.contains("ended by signal 9"), comment) }
    default:
      // A signal in the first milliseconds comes before anything is changed.
      #expect(end.signal == signal || [0, 1, 3, 4, 128 + signal].contains(end.code), comment)
    }
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before, comment)
  }

  /// Two containers share KSM and swap, but neither sees the other's journal. Each puts back only what it
  /// changed itself, so that the host is as before once both are gone, whoever ends first.
  @Test("by two runs in mount namespaces of their own", arguments: 0..<4)
  func twoNamespaces(point: Int) throws {
    let before = HostSnapshot.quiet()
    let first = try Self.startInNamespace(Self.changing)
    usleep(UInt32(Double(point) / 4 * Self.duration * 1e6))
    let second = try Self.startInNamespace(Self.changing)
    for run in [first, second] {
      let end = try run.finish()
      // Settings that the other one puts back cost exposures, never a verdict.
      #expect([0, 1, 3, 4].contains(end.code), "\(end.output)\(end.errors)")
    }
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before, "\(point)/4 of a run apart")
  }

  /// Starts `repro` where /run, and so the journal's lock, is its own.
  private static func startInNamespace(_ arguments: [String]) throws -> StartedProgram {
    try StartedProgram(
      ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /run && exec \"$0\" \"$@\"", StartedProgram.repro]
        + arguments)
  }

  /// Killed with an I/O held, it must not wait for its own server: not when its descriptors are
  /// flushed, and not when its asynchronous I/O is waited for.
  @Test("by a worker that is killed as it starts", arguments: 0..<60)
  func killedAtStart(point: Int) throws {
    let run = try StartedProgram(repro: [
      "run", "control-none", "--schedule", "staged", "--engine", "pread", "--engine", "libaio", "--trials",
      "1",
    ])
    while run.isRunning {
      guard let worker = run.worker else { continue }
      usleep(UInt32(point * 150))
      kill(worker, SIGKILL)
      break
    }
    #expect([2, 3].contains(try run.finish().code))
    #expect(run.remains(after: 5).isEmpty)
  }

  /// Somebody leans on Ctrl-C: signals arrive in every step of putting the host back.
  @Test("by a run that is signalled all the time", arguments: 0..<8)
  func hail(point: Int) throws {
    let delay = Double(point) / 8 * Self.duration
    let before = HostSnapshot.quiet()
    let run = try StartedProgram(repro: Self.changing)
    usleep(UInt32(delay * 1e6))
    let worker = run.worker
    // In half of the runs the supervisor puts the host back alone.
    if point % 2 == 1, let worker { kill(worker, SIGKILL) }
    while run.isRunning {
      kill(run.pid, SIGINT)
      if point % 2 == 0, let worker { kill(worker, SIGINT) }
      usleep(500)
    }
    _ = try run.finish()
    #expect(run.remains(after: 20).isEmpty)
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before, "from \(delay) s on of \(Self.duration)")
  }
}
