import TestHost
import Testing

/// `repro run --against-catalogue`, by real runs of the controls, of which every kernel must do the same.
@Suite(
  "repro run: against the catalogue", .serialized, .exclusive,
  .enabled(if: Machine.canHold, "needs root and /dev/fuse"))
struct CatalogueRunTests {
  private func run(_ arguments: String...) throws -> StartedProgram.End {
    try StartedProgram.run(["run", "--schedule", "staged", "--engine", "pread", "--trials", "3"] + arguments)
  }

  @Test("a loss that is expected is 1 as ever, and 0 against the catalogue, which names it")
  func knownLoss() throws {
    #expect(try run("control-remap").code == 1)
    let end = try run("control-remap", "--against-catalogue")
    #expect(end.code == 0, "\(end)")
    #expect(end.output.contains("known: control-remap.pread.staged lost data"))
    #expect(end.output.contains("compared with the catalogue: 1 expected"))
  }

  @Test("too few exposures are 3")
  func inconclusive() throws {
    let end = try run("control-none", "--against-catalogue", "--min-exposures", "4")
    #expect(end.code == 3 && end.output.contains("undecided: control-none.pread.staged"), "\(end)")
  }

  @Test("a bisection is told in its own codes")
  func dialect() throws {
    let end = try run("control-none", "--against-catalogue", "--min-exposures", "4", "--exit-codes", "bisect")
    #expect(end.code == 125)
  }
}
