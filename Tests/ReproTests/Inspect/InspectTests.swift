import Testing

@testable import Repro

@Suite("Inspection")
struct InspectTests {
  @Test("a bug that several scenarios find is described once")
  func once() throws {
    let lines = try Explanation(["fork", "fork-child-stays"]).lines
    #expect(lines.count { $0.hasPrefix("bug fork-fuse (") } == 1)
    #expect(lines.count { $0 == "bug fork-fuse: see above" } == 1)
  }

  @Test("a bug, or a guard, is explained by its name", arguments: Catalogue.standard.bugs.map(\.id))
  func bug(id: String) throws {
    let lines = try Explanation([id]).lines
    let bug = try #require(Catalogue.standard.bugs.first { $0.id == id })
    #expect(lines.count { $0.hasPrefix(bug.isGuard ? "guard \(id) (" : "bug \(id) (") } == 1)
    #expect(lines.contains { $0.hasPrefix("  asked by: ") })
    #expect(!lines.contains { $0.contains("never") && $0.contains("bad from") })
  }

  @Test("what is neither is refused")
  func unknown() {
    #expect(throws: SelectionError.self) { try Explanation(["fork-fuse", "no-such"]) }
  }

  @Test("advice is the shortest list, the most useful first")
  func doctor() {
    let doctor = Doctor([("a", "x: do x"), ("b", "y: do y"), ("c", "z"), ("d", "y: do y")])
    #expect(doctor.advice.map(\.text) == ["y: do y", "x: do x", "z"])
    #expect(doctor.advice[0].parts == ["b", "d"])
    #expect(doctor.lines.contains("  1. y: do y") && doctor.lines.contains("     for b, d"))
    #expect(Doctor([]).lines.count == 1)
  }

  @Test("colour is added to verdicts and changes nothing else")
  func colour() {
    let line = "fork  CORRUPT 3/3  clean (20)  cleaner fork-clean skipped: x"
    let painted = TerminalColour.paint(line)
    #expect(painted.replacing(/\u{1b}\[[0-9;]*m/, with: "") == line)
    #expect(painted.contains("\u{1b}[1;31mCORRUPT\u{1b}[0m") && painted.contains("cleaner fork-clean"))
    #expect(painted.matches(of: /\u{1b}\[0m/).count == 3)
    #expect(!TerminalColour.suits(-1))
  }
}
