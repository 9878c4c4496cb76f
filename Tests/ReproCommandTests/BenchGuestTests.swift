import TestHost
import Testing

/// That the benchmarks that boot guests, and the one of what the static executable costs, run and print rows.
@Suite("Benchmarks with guests", .serialized, .inGuests)
struct BenchGuestTests {
  @Test("print a row each", arguments: [("start", 1), ("step", 1), ("peer-guest", 2), ("matrix", 1)])
  func rows(name: String, count: Int) throws {
    let end = try StartedProgram([StartedProgram.built("bench"), name, "--smoke"]).finish(within: 300)
    #expect(end.code == 0, "\(end.errors)")
    #expect(end.output.split(separator: "\n").count == count + 1, "\(end.output)")
  }
}
