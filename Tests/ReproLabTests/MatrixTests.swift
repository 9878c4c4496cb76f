import Foundation
import Testing

@testable import Repro
@testable import ReproLab

@Suite("Matrix")
struct MatrixTests {
  private func matrix(_ columns: [(String, GuestSession.Outcome)]) -> Matrix {
    var matrix = Matrix()
    for (kernel, outcome) in columns { matrix.add(kernel, outcome) }
    return matrix
  }

  private func one(_ release: String, _ results: CaseResult...) -> Matrix {
    matrix([("K", FakeOutcome.outcome(release, results))])
  }

  @Test("kernels that do what the catalogue says are 0")
  func expected() {
    let matrix = matrix([
      (
        "6.1",
        FakeOutcome.outcome(
          "6.1.176", [FakeOutcome.result("fork", .corrupt), FakeOutcome.result("control-none", .clean)])
      ),
      (
        "6.12",
        FakeOutcome.outcome(
          "6.12.117", [FakeOutcome.result("fork", .clean), FakeOutcome.result("control-none", .clean)])
      ),
    ])
    #expect(matrix.exitCode == 0 && matrix.isAsExpected)
    #expect(matrix.table.contains("CORRUPT 10/10") && !matrix.table.contains("!!"))
  }

  @Test("a cell that is otherwise is 1, and named")
  func unexpected() {
    let lost = one("6.12.117", FakeOutcome.result("fork", .corrupt))
    #expect(lost.exitCode == 1 && !lost.isAsExpected)
    #expect(
      lost.table.contains("CORRUPT 10/10 !!") && lost.table.contains("K: unexpected: fork.pread.staged"))
    let clean = one("6.1.176", FakeOutcome.result("fork", .clean))
    #expect(clean.exitCode == 1 && clean.markdown.contains("clean 10 !!"))
    #expect(
      one("6.1.176", FakeOutcome.result("fork", .error), FakeOutcome.result("ksm", .clean)).exitCode == 1)
  }

  @Test(
    "a cell that the catalogue knows and that is undecided is 3", arguments: [Verdict.inconclusive, .skipped])
  func undecided(verdict: Verdict) {
    let rest = FakeOutcome.result("control-none", .clean)
    let matrix = one("6.12.117", FakeOutcome.result("fork", verdict, reason: "no FUSE"), rest)
    #expect(matrix.exitCode == 3 && !matrix.isAsExpected)
    #expect(matrix.table.contains("??") && matrix.table.contains("K: undecided: fork.pread.staged"))
    // What is unexpected outranks it.
    let both = one(
      "6.12.117", FakeOutcome.result("fork", verdict), FakeOutcome.result("control-none", .corrupt))
    #expect(both.exitCode == 1)
  }

  @Test("a hazard that led to nothing is as good as clean, where clean is expected")
  func notAsked() {
    let result = FakeOutcome.result(
      "mprotect", .skipped, reason: "not asked: mprotect returned, and no fault")
    #expect(one("6.12.117", result, FakeOutcome.result("control-none", .clean)).exitCode == 0)
    #expect(one("5.10.223", result, FakeOutcome.result("control-none", .clean)).exitCode == 3)
  }

  @Test("a kernel that did not run, or not to its end, is 1")
  func failures() {
    var unbooted = Matrix()
    unbooted.add("6.1", failure: "was not run")
    #expect(unbooted.exitCode == 1)
    let short = FakeOutcome.outcome(
      "6.1.176", [FakeOutcome.result("fork", .corrupt)], unreported: [FakeOutcome.name("ksm")])
    #expect(matrix([("6.1", short)]).exitCode == 1)
    let died = FakeOutcome.outcome(
      "6.1.176", [FakeOutcome.result("fork", .corrupt)], ending: .panic(lines: ["Kernel panic"]))
    #expect(matrix([("6.1", died)]).exitCode == 1)
    #expect(one("6.1.176", FakeOutcome.result("fork", .skipped, reason: "no FUSE")).exitCode == 1)
  }

  @Test("programs read the same judgement")
  func json() throws {
    struct Whole: Decodable {
      struct Cell: Decodable { var judgement: Judgement }
      var isAsExpected: Bool
      var cells: [Cell]
    }
    let matrix = one("6.12.117", FakeOutcome.result("fork", .corrupt), FakeOutcome.result("ksm", .skipped))
    let whole = try JSONDecoder().decode(Whole.self, from: Data(matrix.json().utf8))
    #expect(!whole.isAsExpected && whole.cells.map(\.judgement) == [.unexpected, .skipped])
  }
}
