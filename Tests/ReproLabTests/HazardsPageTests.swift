import Foundation
import Repro
import ReproLab
import Testing

@Suite("Page of hazards")
struct HazardsPageTests {
  private static let text = HazardsPage().text

  @Test("the page in docs is current")
  func current() throws {
    let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/hazards.md")
    let stands = try String(contentsOf: page.standardized, encoding: .utf8)
    #expect(stands == Self.text, "docs/hazards.md: run 'repro list --hazards-page > docs/hazards.md'")
  }

  @Test("every hazard has its section, drawing, guards and records")
  func complete() {
    for scenario in Scenario.all where scenario.role == .hazard {
      #expect(Self.text.contains("\n## \(scenario.name)\n"), "\(scenario.name)")
      #expect(!scenario.drawing.isEmpty && Self.text.contains(scenario.drawing), "\(scenario.name)")
      #expect(!scenario.guards.isEmpty, "\(scenario.name)")
      for one in scenario.guards { #expect(Self.text.contains("`\(one.name)`: \(one.observation)")) }
    }
    #expect(!Self.text.contains("No record."))
  }
}
