import Testing

@testable import Repro
@testable import ReproLab

@Suite("KTAP, read by tap.py")
struct TAPReaderTests {
  private static let reader = """
    import sys
    from tap.parser import Parser
    plan, seen = None, []
    for line in Parser().parse_file(sys.argv[1]):
        if line.category == "plan": plan = line.expected_tests
        if line.category == "test": seen.append((line.ok, line.skip))
    if plan != len(seen): sys.exit(f"{len(seen)} of {plan}")
    for ok, skip in seen: print("skip" if skip else "ok" if ok else "not ok")
    """

  private static let text: String = {
    var report = KTAPReport()
    return SampleRun.events.flatMap { report.lines(for: $0) }.map { $0 + "\n" }.joined()
  }()

  private static func readBack(_ text: String) throws -> [String] {
    try Python.read(text, with: reader).split(separator: "\n").map(String.init)
  }

  private static let expected: [String] = SampleRun.scenarios.map { scenario in
    let verdicts = SampleRun.results.filter { $0.case.scenario == scenario }.map(\.verdict)
    switch ExitCodes.kselftest.overall(verdicts) {
    case .clean: return "ok"
    case .corrupt, .error: return "not ok"
    case .inconclusive, .skipped: return "skip"
    }
  }

  @Test("its results are those of the scenarios", .withPython)
  func results() throws { #expect(try Self.readBack(Self.text) == Self.expected) }

  @Test(
    "a planted mismatch is seen", .withPython,
    arguments: [("\nnot ok 2", "\nok 2"), ("\nok 5 move_pages # SKIP one", "\nok 5 move_pages one")])
  func planted(one: String, other: String) throws {
    let planted = Self.text.replacing(one, with: other)
    try #require(planted != Self.text)
    #expect(try Self.readBack(planted) != Self.expected)
  }

  @Test("a lost result breaks the plan", .withPython)
  func lost() throws {
    let planted = Self.text.replacing("\nok 1 control-none\n", with: "\n")
    try #require(planted != Self.text)
    #expect(throws: Python.Refused.self) { try Self.readBack(planted) }
  }
}
