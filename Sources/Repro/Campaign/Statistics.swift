import Glibc

/// How much a number of exposures says about the rate of loss.
public enum Statistics {
  /// The rate of loss below which, with probability `confidence`, it lies when `exposures` trials
  /// lost nothing: 1 - (1 - c)^(1/n). 1 for no exposures.
  public static func upperBound(exposures: Int, confidence: Double = 0.95) -> Double {
    exposures > 0 ? -expm1(log1p(-confidence) / Double(exposures)) : 1
  }

  /// Exposures without loss that make "good" sure with probability `confidence` where a bad kernel
  /// loses at `rate`: the least n >= ln(1 - c) / ln(1 - p). Nil for rates outside 0 < p <= 1.
  public static func exposuresNeeded(rate: Double, confidence: Double = 0.999) -> Int? {
    guard rate > 0, rate <= 1, confidence > 0, confidence < 1 else { return nil }
    if rate == 1 { return 1 }
    let needed = (log1p(-confidence) / log1p(-rate)).rounded(.up)
    return needed < Double(Int32.max) ? max(1, Int(needed)) : nil
  }
}
