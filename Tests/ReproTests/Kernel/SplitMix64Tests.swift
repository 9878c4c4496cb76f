import Testing

@testable import Repro

@Suite("SplitMix64")
struct SplitMix64Tests {
  /// The reference implementation's first outputs (Steele, Lea, Flood; Vigna's splitmix64.c).
  @Test(
    "gives the reference values",
    arguments: [
      (0, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f, 0xf88b_b8a8_724c_81ec]),
      (
        1_234_567,
        [
          6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
          4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
        ]
      ),
    ] as [(UInt64, [UInt64])])
  func reference(seed: UInt64, values: [UInt64]) {
    var generator = SplitMix64(seed: seed)
    #expect(values.map { _ in generator.next() } == values)
  }

  @Test("each trial of each cell has its own")
  func perTrial() {
    var seen: Set<UInt64> = []
    for seed in [UInt64(1), 2] {
      for cell in ["fork.pread.race", "fork.libaio.race"] {
        for trial in 0..<100 {
          var generator = SplitMix64(seed: seed, case: cell, trial: trial)
          var again = SplitMix64(seed: seed, case: cell, trial: trial)
          let value = generator.next()
          #expect(value == again.next())
          seen.insert(value)
        }
      }
    }
    #expect(seen.count == 400)
  }
}
