/// Aims a race: draws how much later than the I/O the hazard starts, and learns from what that came to.
/// ```
///   offset:  |-- hazard ends as the I/O starts ............ hazard starts as the I/O ends --|
///   bins:    [  ][  ][  ][##][##][##][##][  ][  ][  ][  ][  ]      # hits, by time stamps
/// ```
/// A tenth of the trials is drawn evenly from the whole span, so that a window of any place and width comes
/// up; the others from the bins in which trials were exposures, by how often. The span follows the measured
/// lengths, and how late the threads really start.
struct RaceSteering: Sendable {
  /// One trial's offset.
  struct Aim: Sendable {
    var bin: Int
    /// How much later than the I/O's thread the hazard starts; negative when it starts first.
    var shift: Nanoseconds
  }

  /// Parts of the span that are told apart.
  static let bins = 32
  /// The share of trials that are drawn evenly.
  private static let freeShare = 0.1
  /// What a bin's older trials count against its next one: about 50 are remembered.
  private static let fading = 0.98
  /// Trials over which lengths are averaged.
  private static let averaged = 16.0

  /// How long an I/O takes, and a hazard with its store.
  private var io: Nanoseconds
  private var hazard: Nanoseconds
  private var seen = 0
  /// How much later than aimed the hazard started, against the I/O.
  private var lateness: Nanoseconds = 0
  private var visits = [Double](repeating: 0, count: bins)
  private var hits = [Double](repeating: 0, count: bins)

  /// - Parameters:
  ///   - io: nanoseconds that an I/O takes; 0 until the first is measured.
  ///   - hazard: the same of the hazard.
  init(io: Nanoseconds = 0, hazard: Nanoseconds = 0) {
    self.io = io
    self.hazard = hazard
  }

  /// The same for I/O of another length: what was learned holds until it is measured anew.
  func forgettingLengths() -> RaceSteering {
    var other = self
    other.seen = 0
    return other
  }

  // MARK: Aiming

  /// The offset of one trial: the same for the same seed, case and trial after the same lessons.
  func aim(seed: UInt64, case name: String, trial: Int) -> Aim {
    var generator = SplitMix64(seed: seed, case: name, trial: trial)
    let isFree = Double.random(in: 0..<1, using: &generator) < Self.freeShare
    let bin = isFree ? Int.random(in: 0..<Self.bins, using: &generator) : promisingBin(&generator)
    let place = (Double(bin) + .random(in: 0..<1, using: &generator)) / Double(Self.bins)
    let width = Double(span.upperBound - span.lowerBound)
    return Aim(bin: bin, shift: span.lowerBound + Nanoseconds(place * width))
  }

  /// The offsets that make any difference.
  var span: ClosedRange<Nanoseconds> { -hazard - lateness...max(io, 1) - lateness }

  /// By the fourth powers of the hit rates: a narrow window is not drowned by many bins with next to none. A bin
  /// nobody has been to counts as hit half of the time.
  private func promisingBin(_ generator: inout SplitMix64) -> Int {
    let weights = (0..<Self.bins).map { bin in
      let rate = (hits[bin] + 0.25) / (visits[bin] + 0.5)
      return rate * rate * rate * rate
    }
    var left = Double.random(in: 0..<weights.reduce(0, +), using: &generator)
    for (bin, weight) in weights.enumerated() {
      left -= weight
      if left < 0 { return bin }
    }
    return Self.bins - 1
  }

  // MARK: Learning

  /// Learns what an aim came to.
  /// - Parameter hits: the share of the trial's pages that were exposed in flight, by time stamps and by
  ///   what was seen of the page.
  mutating func learn(_ aim: Aim, _ times: RaceTimes, hits share: Double) {
    seen += 1
    let weight = max(1 / Self.averaged, 1 / Double(seen))
    // A thread that was kept from its CPU for long tells nothing of the next trial.
    let limit = seen > 4 ? 4 * max(io + hazard, 1) : .max / 2
    func follow(_ average: inout Nanoseconds, _ value: Nanoseconds) {
      average += Nanoseconds(weight * Double(min(max(value, -limit), limit) - average))
    }
    follow(&lateness, times.hazardStart - times.started - aim.shift)
    follow(&io, times.ended - times.started)
    follow(&hazard, times.touchEnd - times.hazardStart)
    visits[aim.bin] = visits[aim.bin] * Self.fading + 1
    hits[aim.bin] = hits[aim.bin] * Self.fading + share
  }
}
