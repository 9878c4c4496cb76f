import Glibc
import TestHost
import Testing

/// That each benchmark runs and prints its rows; how fast is not asked.
@Suite("Benchmarks", .serialized)
struct BenchTests {
  @Test(
    "print a row each", .enabled(if: geteuid() == 0, "staged trials of all kinds need root"),
    arguments: [("verifier", 1), ("staged", 3), ("race", 2), ("report", 2), ("peer", 2)])
  func rows(name: String, count: Int) throws {
    let end = try StartedProgram([StartedProgram.built("bench"), name, "--smoke"]).finish(within: 120)
    #expect(end.code == 0, "\(end.errors)")
    let lines = end.output.split(separator: "\n")
    #expect(lines.count == count + 1 && lines.first?.hasPrefix("WHAT") == true, "\(end.output)")
    #expect(!end.output.contains("nan") && !end.output.contains("inf"), "\(end.output)")
  }

  @Test("one that nobody knows is refused with those that are there")
  func unknown() throws {
    let end = try StartedProgram([StartedProgram.built("bench"), "nothing"]).finish()
    #expect(end.code != 0 && end.errors.contains("verifier, staged, race"))
  }
}
