/// Lengths of an I/O and of a hazard that do not overlap, in nanoseconds.
struct RaceWindow {
  var io: Nanoseconds
  var hazard: Nanoseconds

  /// How much later than the I/O the hazard starts in one trial; negative when it starts first. From
  /// "ends as the I/O starts" to "starts as the I/O ends": every overlap comes up.
  func shift(seed: UInt64, case name: String, trial: Int) -> Nanoseconds {
    var generator = SplitMix64(seed: seed, case: name, trial: trial)
    return .random(in: -hazard...max(io, 1), using: &generator)
  }

  /// Moving averages over about 16 trials.
  mutating func follow(io: Nanoseconds, hazard: Nanoseconds) {
    self.io += (io - self.io) / 16
    self.hazard += (hazard - self.hazard) / 16
  }
}
