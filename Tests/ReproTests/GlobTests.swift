import Repro
import Testing

@Suite("Glob")
struct GlobTests {
  @Test(
    "matches whole names",
    arguments: [
      ("fork", "fork"), ("*", ""), ("*", "anything"), ("fork*", "fork"), ("fork*", "fork-child-stays"),
      ("*-write", "fork-write"), ("f?rk", "fork"), ("*o*k*", "fork"), ("a*b*c", "a-b-b-c"), ("**", "x"),
      ("", ""), ("*/x", "a/b/x"), ("*", ".hidden"), ("[a]", "[a]"), ("?", "é"),
    ])
  func matches(pattern: String, name: String) {
    #expect(Glob(pattern).matches(name))
  }

  @Test(
    "leaves the others",
    arguments: [
      ("fork", "forks"), ("fork", "Fork"), ("", "fork"), ("?", ""), ("fork?", "fork"), ("*-write", "write"),
      ("a*b", "abc"), ("[a]", "a"), ("a*b*c", "a-c-b"),
    ])
  func leaves(pattern: String, name: String) {
    #expect(!Glob(pattern).matches(name))
  }
}
