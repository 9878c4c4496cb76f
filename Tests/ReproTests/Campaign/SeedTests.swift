import Testing

@testable import Repro

@Suite("Seed")
struct SeedTests {
  @Test(
    "decimal, or hex after 0x",
    arguments: [
      ("0", 0), ("17", 17), ("0x11", 17), ("0xFF", 255), ("18446744073709551615", .max),
      ("0xffffffffffffffff", .max),
    ] as [(String, UInt64)])
  func parses(text: String, value: UInt64) {
    #expect(Seed(parsing: text) == Seed(value))
  }

  @Test(
    "nothing else",
    arguments: ["", "x", "0x", "-1", "1.0", "18446744073709551616", "0x1g", " 1", "ff", "0x0x1"])
  func refuses(text: String) {
    #expect(Seed(parsing: text) == nil)
  }

  @Test("is written as it is read", arguments: [UInt64(0), 1, 1 << 53 + 1, .max])
  func roundTrip(value: UInt64) {
    #expect(Seed(parsing: Seed(value).description) == Seed(value))
  }
}
