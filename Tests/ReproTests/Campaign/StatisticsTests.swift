import Testing

@testable import Repro

@Suite("Statistics")
struct StatisticsTests {
  /// 1 - (1 - c)^(1/n), worked out by hand.
  @Test(
    "the upper bound of a rate",
    arguments: [
      (1, 0.95, 0.95), (2, 0.95, 0.776393), (10, 0.95, 0.258866), (59, 0.95, 0.049508),
      (299, 0.95, 0.009969), (10, 0.999, 0.498813),
    ])
  func upperBound(exposures: Int, confidence: Double, bound: Double) {
    #expect(abs(Statistics.upperBound(exposures: exposures, confidence: confidence) - bound) < 1e-6)
  }

  @Test("is a little below 3/n at 95 %", arguments: [100, 1000, 1_000_000, 1 << 40])
  func ruleOfThree(exposures: Int) {
    let bound = Statistics.upperBound(exposures: exposures)
    #expect(bound < 3 / Double(exposures))
    #expect(bound > 2.95 / Double(exposures))
  }

  @Test("without exposures everything is possible", arguments: [0, -1])
  func noExposures(exposures: Int) {
    #expect(Statistics.upperBound(exposures: exposures) == 1)
  }

  /// Clopper and Pearson: all of n lost is (1 - c)^(1/n), one of n is 1 - c^(1/n); 5 of 10 from a table.
  @Test(
    "the lower bound of a rate",
    arguments: [
      (1, 1, 0.05), (10, 10, 0.741134), (1, 10, 0.005116), (5, 10, 0.222441), (0, 10, 0), (0, 0, 0),
      (2, 1, 0),
    ])
  func lowerBound(losses: Int, exposures: Int, bound: Double) {
    #expect(abs(Statistics.lowerBound(losses: losses, exposures: exposures) - bound) < 1e-6)
  }

  /// The least n >= ln(1 - c) / ln(1 - p).
  @Test(
    "the exposures that a good needs",
    arguments: [
      (0.01, 0.999, 688), (0.5, 0.999, 10), (0.5, 0.5, 1), (0.05, 0.95, 59), (0.999, 0.999, 1), (1, 0.999, 1),
      (0.001, 0.999, 6905),
    ])
  func exposuresNeeded(rate: Double, confidence: Double, needed: Int) {
    #expect(Statistics.exposuresNeeded(rate: rate, confidence: confidence) == needed)
  }

  @Test(
    "no number of exposures serves a rate or a confidence that is none",
    arguments: [
      (0, 0.95), (-0.1, 0.95), (1.1, 0.95), (Double.nan, 0.95), (0.5, 0), (0.5, 1), (0.5, .nan),
      (1e-300, 0.95),
    ])
  func impossible(rate: Double, confidence: Double) {
    #expect(Statistics.exposuresNeeded(rate: rate, confidence: confidence) == nil)
  }

  @Test("the two undo each other", arguments: [0.3, 0.02, 0.0007])
  func inverse(rate: Double) throws {
    let needed = try #require(Statistics.exposuresNeeded(rate: rate, confidence: 0.99))
    #expect(Statistics.upperBound(exposures: needed, confidence: 0.99) <= rate)
    #expect(Statistics.upperBound(exposures: needed - 1, confidence: 0.99) > rate)
  }
}
