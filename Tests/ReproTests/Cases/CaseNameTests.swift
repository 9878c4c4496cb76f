import Foundation
import Testing

@testable import Repro

@Suite("Case names")
struct CaseNameTests {
  @Test("are read as they are written, for every case there is")
  func roundTrip() throws {
    for scenario in Scenario.all {
      for memory in MemoryKind.all {
        for engine in EngineKind.all {
          for target in TargetKind.all {
            for schedule in Schedule.allCases {
              let name = CaseName(
                scenario: scenario.name, memory: memory.name, engine: engine.name, target: target.name,
                schedule: schedule)
              #expect(CaseName("\(name)") == name)
            }
          }
        }
      }
    }
  }

  @Test("leave out what is usual")
  func short() {
    func text(_ memory: String, _ target: String, _ schedule: Schedule) -> String {
      "\(CaseName(scenario: "fork", memory: memory, engine: "pread", target: target, schedule: schedule))"
    }
    #expect(text("anon", "held", .staged) == "fork.pread.staged")
    #expect(text("anon", "scratch", .race) == "fork.pread.race")
    #expect(text("thp", "held-block", .staged) == "fork.thp.pread.held-block.staged")
    #expect(text("anon", "held", .race) == "fork.pread.held.race")
  }

  @Test(
    "nothing else is one",
    arguments: [
      "", "fork", "fork.pread", "fork.staged", "fork.pread.never", "knife.pread.staged",
      "fork.thp.thp.pread.staged", "fork.pread.libaio.staged", "fork.pread.thp.staged", "fork..pread.staged",
      "fork.held.pread.staged", ".pread.staged",
    ])
  func refused(text: String) { #expect(CaseName(text) == nil) }

  @Test("the names of all parts differ, so that a name can leave some out")
  func distinct() {
    let parts: [any Part] = Scenario.all + MemoryKind.all + EngineKind.all + TargetKind.all
    let names = parts.map(\.name) + Schedule.allCases.map(\.rawValue)
    #expect(Set(names).count == names.count)
    for name in names {
      #expect(!name.isEmpty && name == name.lowercased())
      #expect(!name.contains { ".#,+:".contains($0) || $0.isWhitespace }, "\(name)")
    }
  }

  @Test("events carry the parts as fields, and they are what is read")
  func coding() throws {
    let name = try #require(CaseName("fork.thp.libaio.held-block.staged"))
    let text = JSONText.line(name)
    #expect(
      text
        == #"{"name":"fork.thp.libaio.held-block.staged","scenario":"fork","memory":"thp","engine":"libaio","#
        + #""target":"held-block","schedule":"staged"}"#)
    let misnamed = text.replacing("fork.thp", with: "ksm")
    #expect(try JSONDecoder().decode(CaseName.self, from: Data(misnamed.utf8)) == name)
  }
}
