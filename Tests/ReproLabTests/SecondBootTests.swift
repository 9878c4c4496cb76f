import Testing

@testable import Repro
@testable import ReproLab

/// Emulated boots die now and then before the guest's program has said anything; they get one more chance.
@Suite("A guest that dies at boot")
struct SecondBootTests {
  private func notes(_ events: [Event]) -> [String] {
    events.compactMap { if case .note(let note) = $0 { note.text } else { nil } }
  }

  private static let dead = ["no-memory-6.1", "bad-init-6.1", "null-6.1"]

  @Test("is booted once more, and the report says so", arguments: dead)
  func again(console: String) async throws {
    let guest = try FakeGuest([.init(console: FakeGuest.console(console)), FakeGuest.clean()])
    let (outcome, events) = try await guest.run()
    #expect(guest.boots == 2)
    #expect(outcome.end.verdict == .clean && outcome.guest.ending == .finished(status: 0))
    let said = notes(events).filter { $0.contains("it is booted once more") }
    #expect(said.count == 1 && said[0].contains("before /init said anything"), "\(said)")
    #expect(events.count { if case .run = $0 { true } else { false } } == 1)
  }

  @Test("is started by its own decompressor then")
  func whole() async throws {
    let guest = try FakeGuest(
      [.init(console: FakeGuest.console("no-memory-6.1")), FakeGuest.clean()],
      payload: try await DirectBootTests.payload())
    let (outcome, _) = try await guest.run()
    #expect(outcome.end.verdict == .clean)
    let kernels = guest.arguments.split(separator: "\n").map { line in
      line.split(separator: " ").drop { $0 != "-kernel" }.dropFirst().first.map { $0.hasSuffix("/vmlinux") }
    }
    #expect(kernels == [true, false])
  }

  @Test("is no boot the second time")
  func twice() async throws {
    let dead = FakeGuest.Boot(console: try FakeGuest.console("no-memory-6.1"))
    let guest = try FakeGuest([dead, dead, FakeGuest.clean()])
    let (outcome, events) = try await guest.run()
    #expect(guest.boots == 2)
    #expect(outcome.end.verdict == .error && outcome.results.isEmpty)
    #expect(outcome.end.reason?.contains("the kernel did not boot") == true)
    #expect(notes(events).count == 1)
  }

  /// What a guest has said stands; a second boot would hide that the kernel died of the trials.
  @Test("has no second chance once it has spoken", arguments: ["panic-7.2", "null-6.1"])
  func spoken(console: String) async throws {
    var boot = try FakeGuest.clean()
    boot.console = try FakeGuest.console(console)
    boot.lines = Array(boot.lines.prefix(1))
    let guest = try FakeGuest([boot, FakeGuest.clean()])
    let (outcome, _) = try await guest.run()
    #expect(guest.boots == 1 && outcome.end.verdict == .error)
  }

  @Test("is not what a refused image, a dead program or a guest that powered off is")
  func others() async throws {
    for boot in [
      FakeGuest.Boot(console: "", messages: "qemu: invalid kernel header\n", status: 1),
      FakeGuest.Boot(console: try FakeGuest.console("init-died-6.1")),
      FakeGuest.Boot(console: try FakeGuest.console("silent-5.10")),
    ] {
      let guest = try FakeGuest([boot, FakeGuest.clean()])
      let (outcome, events) = try await guest.run()
      #expect(guest.boots == 1 && outcome.end.verdict == .error && notes(events).isEmpty)
    }
  }
}
