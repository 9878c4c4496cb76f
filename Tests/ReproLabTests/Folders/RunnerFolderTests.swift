import Foundation
import TestHost
import Testing

@testable import Repro
@testable import ReproLab

@Suite("Folders of other runners")
struct RunnerFolderTests {
  private static func plan(_ scenarios: String...) throws -> Plan {
    var plan = Plan(Selection(scenarios: scenarios), seed: Seed(7))
    try plan.set("schedule", "staged")
    try plan.set("trials", "3")
    return plan
  }

  private static func text(_ folder: RunnerFolder, _ path: String) throws -> String {
    try #require(folder.files.first { $0.path == path }).text
  }

  @Test("a runtest line runs exactly the case that it is named for")
  func lines() throws {
    let plan = try Self.plan("fork", "soft-dirty")
    let lines = try Self.text(try .ltp(plan, keepsSeed: false), "runtest/repro").split(separator: "\n")
      .filter { !$0.hasPrefix("#") }
    let cases = try plan.expand().cases.map { "\($0.name)" }
    #expect(lines.map { String($0.prefix { $0 != " " }) } == cases && cases.count > 10)
    for line in lines {
      let words = line.split(separator: " ").map(String.init)
      #expect(Array(words[1...2]) == ["repro-oneshot", "exit-codes=ltp"])
      let again = try Plan(text: words.dropFirst(3).joined(separator: "\n"))
      #expect(try again.expand().cases.map { "\($0.name)" } == [words[0]])
      #expect(again.trials == 3 && !line.contains("seed="))
    }
    #expect(try Self.text(try .ltp(plan, keepsSeed: true), "runtest/repro").contains(" seed=0x7"))
  }

  @Test("metadata has the fixes of the bugs that a case finds, and keeps tests from running side by side")
  func metadata() throws {
    struct Metadata: Decodable {
      struct Test: Decodable { var needs_root: String, tags: [[String]] }
      var tests: [String: Test]
    }
    let text = try Self.text(try .ltp(try Self.plan("fork", "ksm"), keepsSeed: false), "metadata/ltp.json")
    let tests = try JSONDecoder().decode(Metadata.self, from: Data(text.utf8)).tests
    #expect(tests["fork.pread.staged"]?.tags == [["linux-git", "738adade96b2"]])
    #expect(tests["fork.pread.held-block.staged"]?.tags.contains(["linux-git", "a7e689dd1c06"]) == true)
    #expect(tests["ksm.pread.staged"]?.tags == [] && tests.values.allSatisfy { $0.needs_root == "1" })
  }

  @Test("a kselftest program a case, all of them in the Makefile")
  func kselftest() throws {
    let plan = try Self.plan("fork")
    let folder = try RunnerFolder.kselftest(plan, keepsSeed: false)
    let programs = folder.files.filter(\.isProgram).map(\.path)
    #expect(programs == (try plan.expand().cases.map { "\($0.name).sh" }))
    let makefile = try Self.text(folder, "Makefile")
    #expect(programs.allSatisfy { makefile.contains($0) })
    #expect(try Self.text(folder, "config").contains("CONFIG_FUSE_FS=y\n"))
    #expect(try Self.text(folder, "settings") == "timeout=3660\n")
  }

  @Test("nothing that is there is overwritten")
  func precious() throws {
    let temporary = try TemporaryFolder()
    try temporary.write("x", to: "oneshot")
    let folder = try RunnerFolder.ltp(try Self.plan("fork"), keepsSeed: false)
    try folder.write(to: temporary("new"), oneShot: temporary("oneshot"))
    #expect(FileManager.default.isExecutableFile(atPath: temporary("new/testcases/bin/repro-oneshot")))
    #expect(throws: PlanError.self) { try folder.write(to: temporary("new"), oneShot: temporary("oneshot")) }
  }
}
