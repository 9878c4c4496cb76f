import TestHost
import Testing

@testable import Repro

@Suite("How pages are taken", .serialized, .exclusive)
struct PinProbeTests {
  private func finding(_ acquired: Int, _ released: Int) -> PinProbe.Finding {
    PinProbe.finding(
      .init(acquired: 1000, released: 990), .init(acquired: 1000 + acquired, released: 990 + released),
      expected: 1024)
  }

  @Test("counters tell pins, references and leaks apart, with others pinning a little meanwhile")
  func counters() {
    #expect(finding(1024, 1024) == .pinned)
    #expect(finding(1030, 1026) == .pinned)
    #expect(finding(0, 0) == .referenced)
    #expect(finding(40, 40) == .referenced)
    #expect(finding(1024, 0) == .leaked(1024))
    #expect(finding(1024, 512) == .leaked(512))
  }

  @Test(
    "a held file is read by pins where the catalogue says that FUSE takes them",
    .enabled(if: Machine.canHold, "needs root and /dev/fuse"))
  func here() throws {
    guard (try? PinProbe.counters()) != nil, let kernel = KernelVersion.running else { return }
    let target = try HeldFile(pattern: Pattern(seed: 1), .whole)
    defer { target.close() }
    #expect(PinProbe.probe(target) == (kernel.isAtLeast(KernelVersion(6, 9)) == true ? .pinned : .referenced))
  }
}
