import Foundation
import Testing

@testable import Repro
@testable import ReproLab

@Suite("KCIDB")
struct KCIDBReportTests {
  private static let text = KCIDBDocument([SampleRun.events]).lines.joined(separator: "\n")

  /// The numbers of tests by status, incidents and issues that kcidb-io finds; it checks the schema.
  private static let reader = """
    import json, sys
    from kcidb_io.schema.v05_03 import Version
    data = Version.validate(json.load(open(sys.argv[1])))
    tests = data["tests"]
    for status in ("PASS", "FAIL", "ERROR", "MISS", "DONE", "SKIP"):
        print(sum(test["status"] == status for test in tests))
    issues = {issue["id"] for issue in data["issues"]}
    names = {test["id"] for test in tests}
    builds = {build["id"] for build in data["builds"]}
    print(sum(one["issue_id"] in issues and one["test_id"] in names for one in data["incidents"]))
    print(len(names), all(test["build_id"] in builds for test in tests))
    """

  private static func count(_ verdict: Verdict) -> Int { SampleRun.results.count { $0.verdict == verdict } }

  private static let expected =
    [
      count(.clean), count(.corrupt), count(.error), 0, count(.inconclusive), count(.skipped),
      SampleRun.results.flatMap(\.bugs).count,
    ].map(String.init) + ["\(SampleRun.results.count) True"]

  private static func readBack(_ text: String) throws -> [String] {
    try Python.read(text, with: reader).split(separator: "\n").map(String.init)
  }

  @Test("kcidb-io takes it, and counts as we do", .withPython)
  func counts() throws { #expect(try Self.readBack(Self.text) == Self.expected) }

  @Test(
    "kcidb-io does not count the same where it differs", .withPython,
    arguments: [
      (#""status" : "FAIL""#, #""status" : "PASS""#), (#""status" : "DONE""#, #""status" : "PASS""#),
      (#""issue_id" : "repro:bug fork-block""#, #""issue_id" : "repro:bug none""#),
    ])
  func planted(one: String, other: String) throws {
    let planted = Self.text.replacing(one, with: other, maxReplacements: 1)
    try #require(planted != Self.text)
    #expect(try Self.readBack(planted) != Self.expected)
  }

  @Test(
    "kcidb-io refuses what its schema does not know", .withPython,
    arguments: [
      (#""status" : "FAIL""#, #""status" : "CORRUPT""#), (#""origin" : "repro""#, #""origin" : "Re pro""#),
      (#""major" : 5"#, #""major" : 4"#), (#""environment""#, #""surroundings""#),
    ])
  func refused(one: String, other: String) throws {
    let planted = Self.text.replacing(one, with: other, maxReplacements: 1)
    try #require(planted != Self.text)
    #expect(throws: Python.Refused.self) { try Self.readBack(planted) }
  }

  private struct Document: Decodable {
    struct Test: Decodable { var path: String, status: String, comment: String? }
    var tests: [Test]
  }

  @Test("cases without a result, and what no case says, are missed tests")
  func missing() throws {
    let cut = SampleRun.events.dropLast(4) + [.end(RunEnd(verdict: .error, reason: "hung", seconds: 1))]
    func tests(_ events: [Event]) throws -> [Document.Test] {
      let text = KCIDBDocument([events]).lines.joined(separator: "\n")
      return try JSONDecoder().decode(Document.self, from: Data(text.utf8)).tests
    }
    let missed = try tests(Array(cut)).filter { $0.status == "MISS" }
    #expect(missed.contains { $0.path == "repro.ksm.libaio.staged" && $0.comment == "no result: hung" })
    #expect(missed.contains { $0.path == "repro" })
    let broken = try tests([.end(RunEnd(verdict: .error, reason: "no FUSE", seconds: 0))])
    #expect(broken.map(\.status) == ["MISS"] && broken[0].comment == "no FUSE")
  }
}
