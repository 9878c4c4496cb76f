import Foundation
import Glibc
import Testing

@testable import Repro
@testable import ReproLab

@Suite("Loss rates")
struct LossRatesTests {
  /// A calibration's outcome.
  static func measured(
    losses: Int = 40, of exposures: Int = 100, unexplained: Int = 0, accelerator: Accelerator = .tcg,
    processors: Int = 2, kernel: String = "6.1.176"
  ) -> GuestSession.Outcome {
    var result = FakeOutcome.result("fork", .corrupt, .race, exposures: exposures, losses: losses)
    result.count.unexplained = unexplained
    var outcome = FakeOutcome.outcome(kernel, [result], accelerator: accelerator, processors: processors)
    outcome.exposedLosses = losses
    return outcome
  }

  @Test("a rate is that of its place, and none of another's")
  func places() throws {
    var rates = LossRates()
    let rate = try rates.keep(Self.measured())
    #expect(rate.losses == 40 && rate.exposures == 100 && rate.kernel == "6.1.176")
    let name = FakeOutcome.name("fork", .race)
    #expect(rates[name, rate.place] == rate)
    for other in [Self.measured(accelerator: .kvm), Self.measured(processors: 4)] {
      #expect(rates[name, try #require(LossRates.Place(other))] == nil)
    }
    var elsewhere = Self.measured()
    elsewhere.results[0].opened = "/dev/vdb"
    #expect(rates[name, try #require(LossRates.Place(elsewhere))] == nil)
    elsewhere = Self.measured()
    elsewhere.start?.machine = "aarch64"
    #expect(rates[name, try #require(LossRates.Place(elsewhere))] == nil)
    #expect(rates[FakeOutcome.name("pageout", .race), rate.place] == nil)
  }

  @Test("the newest of a place replaces the older, and other places stay")
  func newest() throws {
    var rates = LossRates()
    _ = try rates.keep(Self.measured(accelerator: .kvm))
    _ = try rates.keep(Self.measured())
    _ = try rates.keep(Self.measured(losses: 10))
    #expect(rates.rates.map(\.losses) == [40, 10])
    #expect(rates.all(FakeOutcome.name("fork", .race)).count == 2)
  }

  /// Losses of trials that were no exposures must not make the rate of exposures look high.
  @Test("only losses of exposed trials count")
  func exposedOnly() throws {
    var outcome = Self.measured(losses: 90)
    outcome.exposedLosses = 5
    var rates = LossRates()
    #expect(try rates.keep(outcome).losses == 5)
    outcome.exposedLosses = 0
    #expect(throws: LabError.self) { try rates.keep(outcome) }
  }

  @Test("what a good can't rest on is not kept")
  func refused() {
    var rates = LossRates()
    var staged = Self.measured()
    staged.results[0].case.schedule = .staged
    var silent = Self.measured()
    silent.start = nil
    for outcome in [staged, silent, Self.measured(unexplained: 1), FakeOutcome.outcome("6.1.176", [])] {
      #expect(throws: LabError.self) { try rates.keep(outcome) }
    }
    #expect(rates.rates.isEmpty)
  }

  /// By hand: with all of n lost the bound at 1 - a/2 is (a/2)^(1/n), and n >= ln(a/2) / ln(1 - p).
  @Test("the measurement's own uncertainty is within the confidence", arguments: [(10, 0.999), (5, 0.95)])
  func splitRisk(count: Int, confidence: Double) throws {
    var rates = LossRates()
    let rate = try rates.keep(Self.measured(losses: count, of: count))
    let half = (1 - confidence) / 2
    let bound = pow(half, 1 / Double(count))
    #expect(abs(rate.lowerBound(confidence: 1 - half) - bound) < 1e-6)
    #expect(rate.exposuresNeeded(confidence: confidence) == Int((log(half) / log(1 - bound)).rounded(.up)))
  }

  @Test("the output says how the risk was split")
  func explanation() throws {
    var rates = LossRates()
    let text = try rates.keep(Self.measured()).explanation(confidence: 0.999)
    for words in [
      "lost 40 of 100", "with confidence 0.9995", "0.0005", "sure at 0.999, both risks included", "tcg",
    ] {
      #expect(text.contains(words), "\(text)")
    }
  }

  @Test("rates are read as they were written; a file of another form is refused")
  func file() throws {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    let path = folder.appending("deep/rates.json")
    #expect(try LossRates(path: path).rates.isEmpty)
    var rates = LossRates()
    _ = try rates.keep(Self.measured())
    try rates.write(to: path)
    #expect(try LossRates(path: path) == rates)
    // Without a place, as older versions wrote it, a rate is none.
    let old = #"{"rates": [{"case": "fork.pread.race", "kernel": "6.1", "losses": 1, "exposures": 2}]}"#
    try old.write(toFile: path, atomically: true, encoding: .utf8)
    #expect(throws: LabError.self) { try LossRates(path: path) }
  }
}
