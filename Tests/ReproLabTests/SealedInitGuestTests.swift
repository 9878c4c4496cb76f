import Foundation
import TestHost
import Testing

@testable import ReproLab

/// A sealed reproducer as the init process of a bare guest: no plan, no libraries, its report on the console.
@Suite(
  .serialized, .inGuests,
  .enabled(if: ProcessInfo.processInfo.environment["REPRO_EXECUTABLE"] != nil, "set REPRO_EXECUTABLE"))
struct SealedInitGuestTests {
  @Test(arguments: [("6.1", 1), ("6.12", 0)])
  func `a sealed reproducer is an init process`(kernel: String, status: Int) async throws {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-seal")
    defer { folder.remove() }
    let reproducer = folder.appending("reproducer")
    let seal = Process()
    seal.executableURL = URL(
      fileURLWithPath: try #require(ProcessInfo.processInfo.environment["REPRO_EXECUTABLE"]))
    seal.arguments = ["seal", "fork", "-o", reproducer, "--trials", "5"]
    seal.standardOutput = FileHandle.nullDevice
    try seal.run()
    seal.waitUntilExit()
    #expect(seal.terminationStatus == 0)

    let guest = try await GuestRun(
      kernel: try await KernelSource(parsing: kernel).resolve(), initExecutable: reproducer, plan: ""
    ).run()
    #expect(guest.ending == .finished(status: status))
    #expect(guest.console.contains("fork; the child exits at once"))
    #expect(guest.console.contains("LOSS  fork.pread.staged") == (status == 1))
  }
}
