import Testing

@testable import Repro

@Suite("Selection of scenarios")
struct PlanSelectTests {
  @Test("no globs select all but the positive control")
  func standard() throws {
    let names = try Plan.select([])
    #expect(!names.contains("control-remap") && names.contains("control-none"))
    #expect(names.count == Scenario.all.count - 1)
  }

  @Test("each once, in the order of the scenarios")
  func order() throws {
    #expect(try Plan.select(["ksm", "fork", "fork*"]).prefix(2) == ["fork", "fork-child-stays"])
    let names = try Plan.select(["*", "fork"])
    #expect(names == Scenario.all.map(\.name))
    #expect(Set(names).count == names.count)
  }

  @Test("a glob that selects nothing is an error, whatever the others do")
  func nothing() {
    #expect(throws: PlanError("no scenario 'f'; 'repro list' names them all")) {
      try Plan.select(["fork", "f"])
    }
  }

  @Test("names can stand in reports")
  func names() {
    for name in Scenario.all.map(\.name) {
      #expect(!name.contains { $0 == "." || $0 == "#" || $0 == "," || $0.isWhitespace }, "\(name)")
    }
  }
}
