import Glibc

/// How much a number of exposures says about the rate of loss.
public enum Statistics {
  /// The rate of loss below which, with probability `confidence`, it lies when `exposures` trials
  /// lost nothing: 1 - (1 - c)^(1/n). 1 for no exposures.
  public static func upperBound(exposures: Int, confidence: Double = 0.95) -> Double {
    exposures > 0 ? -expm1(log1p(-confidence) / Double(exposures)) : 1
  }

  /// The rate of loss above which, with probability `confidence`, it lies when `losses` of
  /// `exposures` trials lost data (Clopper and Pearson's one-sided bound). 0 for no losses.
  public static func lowerBound(losses: Int, exposures: Int, confidence: Double = 0.95) -> Double {
    guard losses > 0, exposures >= losses else { return 0 }
    var (low, high) = (0.0, 1.0)
    for _ in 0..<60 {
      let rate = (low + high) / 2
      if probability(ofAtLeast: losses, of: exposures, rate: rate) < 1 - confidence {
        low = rate
      } else {
        high = rate
      }
    }
    return low
  }

  /// The binomial probability of `losses` or more losses in `exposures` trials.
  private static func probability(ofAtLeast losses: Int, of exposures: Int, rate: Double) -> Double {
    if rate <= 0 || rate >= 1 { return rate <= 0 ? 0 : 1 }
    var sum = 0.0
    for count in losses...exposures {
      let (n, k) = (Double(exposures), Double(count))
      let ways = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
      sum += exp(ways + k * log(rate) + (n - k) * log1p(-rate))
    }
    return sum
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
