import Foundation
import Subprocess
import Synchronization
import TestHost
import Testing

@testable import ReproLab

/// Real boots.
@Suite("Guests", .serialized, .inGuests)
struct GuestTests {
  private func kernel(_ name: String = "6.1") async throws -> Kernel {
    try await KernelSource(parsing: name).resolve { print("\(name): \($0)") }
  }

  private func boot(
    _ kernel: Kernel, plan: String, modules: [String] = Initramfs.defaultModules,
    timeout: Duration = .seconds(120), silence: Duration = .seconds(60)
  ) async throws -> (report: GuestReport, lines: [String]) {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    let lines = Mutex<[String]>([])
    let run = GuestRun(
      kernel: kernel, initExecutable: try await TinyInit.build(in: folder), plan: plan, modules: modules,
      timeout: timeout, silence: silence)
    let report = try await run.run { line in lines.withLock { $0.append(line) } }
    #expect(try leftovers().isEmpty)
    return (report, lines.withLock { $0 })
  }

  /// What runs of this process left in the temporary folder.
  private func leftovers() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: ScratchFolder.temporary)
      .filter { $0.hasPrefix("repro-guest-\(getpid())-") }
  }

  @Test(arguments: KernelProfiles.names)
  func everyKernelBoots(name: String) async throws {
    let (report, lines) = try await boot(kernel(name), plan: "")
    #expect(report.ending == .finished(status: 0), "\(report.ending)")
    #expect(report.warnings.isEmpty && report.missingModules.isEmpty)
    #expect(lines.last == #"{"event":"exit","status":0}"#)
    for path in ["/dev/vda", "/dev/vdb", "/dev/fuse", "/dev/loop-control", "/sys/devices/system/node/node1"] {
      #expect(lines.contains { $0.contains("\"\(path)\",\"there\":1") }, "\(path)")
    }
    #expect(lines.filter { $0.contains("\"module\"") }.allSatisfy { $0.contains("\"errno\":0") })
    print("\(name): booted and ended in \(report.seconds) s")
  }

  @Test func aFailureIsReported() async throws {
    #expect(try await boot(kernel(), plan: "fail").report.ending == .finished(status: 1))
  }

  @Test func aMissingModuleIsNamed() async throws {
    let (report, _) = try await boot(kernel(), plan: "", modules: ["no-such-module"])
    #expect(report.ending == .finished(status: 0))
    #expect(report.missingModules == ["no_such_module"])
  }

  @Test func aDeadInitIsTheHarness() async throws {
    guard case .initDied(let code, _) = try await boot(kernel(), plan: "die").report.ending else {
      Issue.record("not recognised")
      return
    }
    #expect(code == 3)
  }

  @Test func aCrashIsThePanicOfTheKernel() async throws {
    guard case .panic(let lines) = try await boot(kernel(), plan: "crash").report.ending else {
      Issue.record("not recognised")
      return
    }
    #expect(lines.first == "Kernel panic - not syncing: sysrq triggered crash")
  }

  @Test func aPowerOffWithoutStatusIsNoSuccess() async throws {
    guard case .unreported = try await boot(kernel(), plan: "silent").report.ending else {
      Issue.record("not recognised")
      return
    }
  }

  @Test func aHangIsKilled() async throws {
    let (report, lines) = try await boot(kernel(), plan: "hang", silence: .seconds(4))
    guard case .hung(silent: true, _) = report.ending else {
      Issue.record("\(report.ending)")
      return
    }
    #expect(!lines.isEmpty && report.seconds < 30)
  }

  @Test func garbageWithAKernelsHeaderSaysNothing() async throws {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    let image = folder.appending("bzImage")
    try KernelImageTests.image().write(to: URL(fileURLWithPath: image))
    let (report, _) = try await boot(Kernel(image: image), plan: "", silence: .seconds(4))
    guard case .noBoot = report.ending else {
      Issue.record("\(report.ending)")
      return
    }
  }

  @Test func cancellationKillsTheGuest() async throws {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    let (started, signal) = AsyncStream<String>.makeStream()
    let run = GuestRun(
      kernel: try await kernel(), initExecutable: try await TinyInit.build(in: folder), plan: "hang")
    let task = Task { try await run.run { signal.yield($0) } }
    for await _ in started { break }
    let qemus = try await HostTool(name: "pgrep", package: "procps").run(["-P", "\(getpid())", "qemu"])
    #expect(!qemus.output.isEmpty)
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(try leftovers().isEmpty)
    let left = try await HostTool(name: "pgrep", package: "procps").run(["-P", "\(getpid())", "qemu"])
    #expect(left.output.isEmpty)
  }

  @Test func theProbeProvesThatAProcessorRuns() async {
    let qemu = "qemu-system-x86_64"
    #expect(await Accelerator.answers(.tcg, qemu: qemu, within: .seconds(10)))
    #expect(!(await Accelerator.answers(.tcg, qemu: qemu, within: .milliseconds(1))))
  }

  @Test func aMissingQEMUIsAnEnding() async throws {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    let run = GuestRun(
      kernel: try await kernel(), initExecutable: try await TinyInit.build(in: folder), plan: "",
      qemu: "qemu-system-nowhere")
    #expect(
      try await run.run().ending == .qemuMissing(name: "qemu-system-nowhere", package: "qemu-system-x86"))
  }
}
