import Foundation
import Testing

@testable import ReproLab

/// The classifier on consoles recorded from real guests; `fixtures/consoles` has them, cut in the middle.
@Suite("Guest endings")
struct GuestEndingTests {
  private static func console(_ name: String) throws -> String {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    return try String(contentsOf: root.appending(path: "fixtures/consoles/\(name).txt"), encoding: .utf8)
  }

  private static let exit = #"{"event":"exit","status":0}"#

  @Test func finished() throws {
    let evidence = GuestEvidence(console: try Self.console("finished-6.12"), lines: ["{}", Self.exit])
    #expect(GuestEnding(evidence) == .finished(status: 0))
    #expect(GuestEnding(evidence).description == "finished with status 0")
    #expect(ConsoleReport.all(in: evidence.console).isEmpty)
  }

  @Test func unreported() throws {
    let evidence = GuestEvidence(console: try Self.console("silent-5.10"), lines: ["{}"])
    guard case .unreported(let tail) = GuestEnding(evidence) else { throw Unexpected(evidence) }
    #expect(tail.last == "reboot: Power down")
  }

  @Test func initDied() throws {
    let evidence = GuestEvidence(console: try Self.console("init-died-6.1"))
    guard case .initDied(let code, let lines) = GuestEnding(evidence) else { throw Unexpected(evidence) }
    #expect(code == 3)
    #expect(lines.first == "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300")
    #expect(lines.contains(" panic+0x118/0x2f4") && lines.last?.hasPrefix("Kernel Offset") == true)
  }

  @Test func aTrapOfInitIsASignal() {
    let evidence = GuestEvidence(
      console:
        "Run /init as init process\nKernel panic - not syncing: Attempted to kill init! exitcode=0x00000084\n"
    )
    guard case .initDied(132, _) = GuestEnding(evidence) else {
      Issue.record("\(GuestEnding(evidence))")
      return
    }
  }

  /// A status that was reported first does not excuse a panic after it.
  @Test(arguments: [[], [Self.exit]])
  func panic(lines: [String]) throws {
    let evidence = GuestEvidence(console: try Self.console("panic-7.2"), lines: lines)
    guard case .panic(let trace) = GuestEnding(evidence) else { throw Unexpected(evidence) }
    #expect(trace.first == "Kernel panic - not syncing: sysrq triggered crash")
    #expect(GuestEnding(evidence).description.hasPrefix("the kernel panicked: Kernel panic"))
  }

  @Test(arguments: [
    ("null-6.1", "BUG: kernel NULL pointer dereference, address: 0000000000000000", "RIP: 0010:boom_init"),
    ("bug-6.1", "kernel BUG at boom.c:8!", "invalid opcode: 0000 [#1] PREEMPT SMP NOPTI"),
  ])
  func oops(name: String, headline: String, detail: String) throws {
    let evidence = GuestEvidence(console: try Self.console(name))
    guard case .oops(let lines) = GuestEnding(evidence) else { throw Unexpected(evidence) }
    #expect(lines.first == headline)
    #expect(lines.contains { $0.contains(detail) } && lines.last?.hasPrefix("---[ end trace") == true)
    #expect(ConsoleReport.all(in: evidence.console).map(\.kind) == [.oops, .panic])
  }

  @Test func aWarningStandsBesideTheEnding() throws {
    let evidence = GuestEvidence(console: try Self.console("warn-6.1"), lines: [Self.exit])
    #expect(GuestEnding(evidence) == .finished(status: 0))
    let reports = ConsoleReport.all(in: evidence.console)
    #expect(reports.count == 1 && reports.first?.kind == .warning && reports.first?.isFatal == false)
    #expect(reports.first?.headline.hasPrefix("WARNING: CPU: 0 PID: 1 at boom.c:5 boom_init") == true)
    #expect(reports.first?.lines.dropFirst().first == "boom: a made-up warning")
    #expect(reports.first?.lines.last == "---[ end trace 0000000000000000 ]---")
  }

  @Test(arguments: [(GuestEvidence.Watchdog.silence, true), (.timeout, false)])
  func hung(watchdog: GuestEvidence.Watchdog, silent: Bool) throws {
    let evidence = GuestEvidence(
      console: try Self.console("hang-6.1"), lines: ["{}"], exit: .signalled(9), watchdog: watchdog)
    guard case .hung(silent, let tail) = GuestEnding(evidence) else { throw Unexpected(evidence) }
    #expect(tail.count == 12)
  }

  @Test func reportedButNotPoweredOff() throws {
    let evidence = GuestEvidence(
      console: try Self.console("hang-6.1"), lines: [Self.exit], exit: .signalled(9), watchdog: .timeout)
    #expect(GuestEnding(evidence) == .finished(status: 0))
  }

  @Test(arguments: [
    ("bad-init-6.1", "Kernel panic - not syncing: No working init found."),
    ("no-memory-6.1", "Kernel panic - not syncing: System is deadlocked on memory"),
  ])
  func panicBeforeInit(name: String, headline: String) throws {
    let evidence = GuestEvidence(console: try Self.console(name))
    guard case .noBoot(.panic(let lines)) = GuestEnding(evidence) else { throw Unexpected(evidence) }
    #expect(lines.first?.hasPrefix(headline) == true)
  }

  @Test func noBoot() throws {
    let boot = try Self.console("hang-6.1").split(separator: "\n").prefix(12).joined(separator: "\n")
    let cases: [(GuestEvidence, GuestEnding)] = [
      (GuestEvidence(watchdog: .silence), .noBoot(.noConsoleOutput)),
      (GuestEvidence(), .noBoot(.noConsoleOutput)),
      (
        GuestEvidence(messages: "qemu: linux kernel too old to load a ram disk\n", exit: .exited(1)),
        .noBoot(.badImage(message: "qemu: linux kernel too old to load a ram disk"))
      ),
      (
        GuestEvidence(
          messages: "qemu: could not load kernel 'x': No such file or directory\n", exit: .exited(1)),
        .noBoot(.badImage(message: "qemu: could not load kernel 'x': No such file or directory"))
      ),
    ]
    for (evidence, ending) in cases { #expect(GuestEnding(evidence) == ending) }
    let stopped = GuestEvidence(console: boot, exit: .signalled(9), watchdog: .silence)
    guard case .noBoot(.stopped(let tail)) = GuestEnding(stopped) else { throw Unexpected(stopped) }
    #expect(tail.count == 12)
  }

  @Test func qemusOwnEndings() {
    #expect(
      GuestEnding(
        GuestEvidence(messages: "a: warning: x\nqemu: bad option\nb: warning: y\n", exit: .exited(1)))
        == .qemuFailed(message: "qemu: bad option"))
    #expect(GuestEnding(GuestEvidence(exit: .signalled(9))) == .killed(signal: 9))
    #expect(
      GuestEnding(GuestEvidence(messages: "qemu-system-x86_64: terminating on signal 2\n"))
        == .killed(signal: 2))
  }

  @Test(
    arguments: [
      (#"{"event":"exit","status":3}"#, 3), (#"{"status":0,"event":"exit","seconds":1.5}"#, 0),
      (#"{"event":"trial","text":"exit"}"#, nil), (#"{"event":"exit"}"#, nil), ("exit 0", nil), ("", nil),
    ] as [(String, Int?)])
  func statusLines(line: String, status: Int?) {
    #expect(GuestEnding.status(in: line) == status)
  }

  @Test func everyEndingIsOneLine() {
    let endings: [GuestEnding] = [
      .finished(status: 1), .panic(lines: []), .oops(lines: ["BUG: x"]), .initDied(code: 1, lines: []),
      .unreported(tail: []), .hung(silent: true, tail: ["a", "b"]), .hung(silent: false, tail: []),
      .noBoot(.badImage(message: "m")), .noBoot(.panic(lines: [])), .noBoot(.noConsoleOutput),
      .noBoot(.stopped(tail: [])), .qemuMissing(name: "qemu-system-x86_64", package: "qemu-system-x86"),
      .qemuFailed(message: "m"),
      .killed(signal: 9),
    ]
    for ending in endings { #expect(!ending.description.contains("\n")) }
    #expect(Set(endings.map(\.description)).count == endings.count)
    #expect(endings[5].description.hasSuffix("last: b"))
  }

  private struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ evidence: GuestEvidence) { description = "\(GuestEnding(evidence))" }
  }
}
