import TestHost
import Testing

/// The dialects of exit codes, by real runs.
@Suite(
  "repro run: exit codes", .serialized, .exclusive, .enabled(if: Machine.canHold, "needs root and /dev/fuse"))
struct ExitCodeRunTests {
  private static let dialects = ["default", "kselftest", "ltp", "bisect", "automake"]

  private func run(_ scenario: String, _ dialect: String, _ extra: String...) throws -> StartedProgram.End {
    try StartedProgram.run(
      [
        "run", scenario, "--schedule", "staged", "--engine", "pread", "--trials", "3", "--exit-codes",
        dialect,
      ]
        + extra)
  }

  @Test("a loss is 1", arguments: dialects)
  func corrupt(dialect: String) throws {
    #expect(try run("control-remap", dialect).code == 1)
  }

  @Test("clean is 0", arguments: dialects)
  func clean(dialect: String) throws {
    #expect(try run("control-none", dialect).code == 0)
  }

  @Test("too few exposures are never 0", arguments: zip(dialects, [3, 4, 4, 125, 77] as [Int32]))
  func inconclusive(dialect: String, code: Int32) throws {
    #expect(try run("control-none", dialect, "--min-exposures", "4").code == code)
  }

  @Test("LTP's runner finds its summary")
  func ltpSummary() throws {
    let expected = """
      Summary:
      passed   0
      failed   1
      broken   0
      skipped  0
      warnings 0

      """
    #expect(try run("control-remap", "ltp").output.contains(expected))
  }
}
