/// The generator of delays: small, seedable, and the same on every machine (Steele, Lea, Flood 2014).
struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// The generator of one trial of one case, so that a trial can be run again alone.
  init(seed: UInt64, case name: String, trial: Int) {
    state = seed ^ FNV1a.hash(name.utf8) &+ UInt64(truncatingIfNeeded: trial) &* 0x9e37_79b9_7f4a_7c15
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
