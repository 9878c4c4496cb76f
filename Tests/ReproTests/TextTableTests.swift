import Testing

@testable import Repro

@Suite("Text layout")
struct TextTableTests {
  @Test("columns are as wide as their widest cell, without trailing blanks")
  func table() {
    var table = TextTable()
    table.row(["A", "LONG", "C"])
    table.row(["first", "x"])
    table.row(["", "yy", "z"])
    #expect(table.lines == ["A      LONG  C", "first  x", "       yy    z"])
    #expect(TextTable().lines == [])
  }

  @Test(
    "fixed decimals",
    arguments: [
      (0.1389, 2, "0.14"), (0, 1, "0.0"), (12.5, 0, "13"), (0.049508, 4, "0.0495"), (-1.25, 1, "-1.3"),
      (-0.001, 2, "0.00"), (0.999, 2, "1.00"), (1234567.891, 1, "1234567.9"), (0.05, 3, "0.050"),
      (1e9, 6, "1000000000.000000"),
    ])
  func fixed(number: Double, decimals: Int, text: String) {
    #expect(number.fixed(decimals) == text)
  }

  @Test(
    "numbers too large for fixed decimals are still written", arguments: [1e300, -1e300, .infinity, .nan])
  func unfixable(number: Double) {
    #expect(number.fixed(2) == "\(number)")
  }

  @Test func padding() {
    #expect("ab".padded(to: 4) == "ab  ")
    #expect("ab".padded(to: 4, right: true) == "  ab")
    #expect("abc".padded(to: 2) == "abc")
    #expect("µs".padded(to: 3) == "µs ")
  }

  @Test(
    "lines break at blanks",
    arguments: [
      ("one two three", 7, ["one two", "three"]), ("", 5, [""]), ("unbreakable", 4, ["unbreakable"]),
      ("a unbreakable b", 4, ["a", "unbreakable", "b"]), ("one two", 7, ["one two"]),
    ])
  func wrapping(text: String, width: Int, lines: [String]) {
    #expect(text.wrapped(to: width) == lines)
  }
}
