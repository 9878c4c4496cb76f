/// A shell-like pattern over a whole name: `*` matches any run of characters, `?` exactly one.
///
/// Nothing else is special: no brackets, no escapes, and `/` and a leading dot are ordinary characters.
public struct Glob: Sendable, Hashable, CustomStringConvertible {
  /// The pattern as it was written.
  public let pattern: String

  /// Takes any text as a pattern.
  public init(_ pattern: String) {
    self.pattern = pattern
  }

  /// The pattern as it was written.
  public var description: String { pattern }

  /// Whether the pattern covers all of `name`.
  ///
  /// Walks both texts once. On a mismatch it returns to the last `*` and lets that star take one
  /// character more; an earlier star never needs another try, so the cost is at most the product of the
  /// lengths.
  public func matches(_ name: some StringProtocol) -> Bool {
    let pattern = Array(self.pattern)
    let name = Array(name)
    var next = 0
    var position = 0
    var star: (pattern: Int, name: Int)?

    while position < name.count {
      if next < pattern.count, pattern[next] == "*" {
        star = (next, position)
        next += 1
      } else if next < pattern.count, pattern[next] == "?" || pattern[next] == name[position] {
        next += 1
        position += 1
      } else if let last = star {
        star = (last.pattern, last.name + 1)
        next = last.pattern + 1
        position = last.name + 1
      } else {
        return false
      }
    }
    return pattern[next...].allSatisfy { $0 == "*" }
  }
}
