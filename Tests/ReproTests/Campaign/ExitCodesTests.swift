import Testing

@testable import Repro

@Suite("Exit codes")
struct ExitCodesTests {
  /// Dialect, then the codes for clean, corrupt, skipped, inconclusive, error.
  @Test(
    "each dialect's",
    arguments: [
      (ExitCodes.default, [0, 1, 4, 3, 2]), (.kselftest, [0, 1, 4, 4, 1]), (.ltp, [0, 1, 32, 4, 2]),
      (.bisect, [0, 1, 125, 125, 125]), (.automake, [0, 1, 77, 77, 99]),
    ] as [(ExitCodes, [Int32])])
  func table(dialect: ExitCodes, codes: [Int32]) {
    let verdicts: [Verdict] = [.clean, .corrupt, .skipped, .inconclusive, .error]
    #expect(verdicts.map(dialect.code) == codes)
  }

  @Test("only clean is 0 and only a loss, or an error of kselftest, is 1", arguments: ExitCodes.allCases)
  func meaning(dialect: ExitCodes) {
    for verdict in Verdict.allCases {
      #expect((dialect.code(verdict) == 0) == (verdict == .clean))
      if dialect != .kselftest { #expect((dialect.code(verdict) == 1) == (verdict == .corrupt)) }
      if dialect == .bisect { #expect(dialect.code(verdict) <= 125) }
    }
  }

  @Test("a signal's is the shell's, but a bisection goes on")
  func interrupted() {
    #expect(ExitCodes.default.code(interruptedBy: 2) == 130)
    #expect(ExitCodes.kselftest.code(interruptedBy: 15) == 143)
    #expect(ExitCodes.bisect.code(interruptedBy: 2) == 125)
  }

  @Test(
    "the worst verdict is the run's",
    arguments: [
      ([.clean, .corrupt, .error, .inconclusive, .skipped], .corrupt), ([.error, .corrupt], .corrupt),
      ([.clean, .error, .inconclusive, .skipped], .error),
      ([.clean, .inconclusive, .skipped], .inconclusive),
      ([.clean, .clean], .clean), ([.skipped, .skipped], .skipped),
      ([.inconclusive, .skipped], .inconclusive),
      ([], .inconclusive),
    ] as [([Verdict], Verdict)])
  func overall(verdicts: [Verdict], run: Verdict) {
    for dialect in ExitCodes.allCases {
      #expect(dialect.overall(verdicts) == run)
      #expect(dialect.overall(verdicts.reversed()) == run)
    }
  }

  @Test("what was skipped counts only for bisections once something is clean", arguments: ExitCodes.allCases)
  func skippedAmongClean(dialect: ExitCodes) {
    #expect(dialect.overall([.clean, .skipped]) == (dialect == .bisect ? .skipped : .clean))
  }
}
