/// What a merge needs of a trial's line, read without making objects of the rest: most lines of a report are
/// trials, and nearly all of those lost nothing. The whole line is still checked to be JSON.
struct TrialLine {
  /// The case's name, as it stands in the line.
  private(set) var name: UnsafeRawBufferPointer?
  /// Pages on which a guard was asked.
  private(set) var inFlight = 0
  /// Pages that lost data.
  private(set) var lost = 0

  /// How lines of trials begin.
  static let mark = Array(#"{"event":"trial","#.utf8)

  /// Reads `line`; nil when it is no trial's or not JSON.
  init?(_ line: UnsafeRawBufferPointer) {
    guard line.starts(with: Self.mark) else { return nil }
    var text = JSONScanner(line)
    var values = TrialLine()
    let isWhole = text.object { key, text in
      if key.elementsEqual("case".utf8) {
        return text.object { key, text in
          guard key.elementsEqual("name".utf8) else { return text.value() }
          values.name = text.string()
          return values.name != nil
        }
      }
      if key.elementsEqual("inFlight".utf8) {
        guard let number = text.integer() else { return false }
        values.inFlight = number
        return true
      }
      if key.elementsEqual("lost".utf8) {
        return text.array { text in
          values.lost += 1
          return text.value()
        }
      }
      return text.value()
    }
    guard isWhole, text.isAtEnd, values.name != nil else { return nil }
    self = values
  }

  private init() {}
}

/// Steps over JSON (RFC 8259) byte by byte. Each step returns whether what stood there was whole.
struct JSONScanner {
  private var rest: UnsafeRawBufferPointer.SubSequence
  private var depth = 0

  /// No line of ours is nested deeper.
  private static let deepest = 64

  init(_ bytes: UnsafeRawBufferPointer) { rest = bytes[...] }

  /// Whether nothing but white space is left.
  var isAtEnd: Bool { rest.allSatisfy(Self.isSpace) }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d
  }

  private mutating func skipSpace() {
    while let byte = rest.first, Self.isSpace(byte) { rest.removeFirst() }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard rest.first == byte else { return false }
    rest.removeFirst()
    return true
  }

  /// Any value.
  mutating func value() -> Bool {
    skipSpace()
    switch rest.first {
    case UInt8(ascii: "{"): return object { _, text in text.value() }
    case UInt8(ascii: "["): return array { $0.value() }
    case UInt8(ascii: "\""): return string() != nil
    case UInt8(ascii: "t"): return word("true")
    case UInt8(ascii: "f"): return word("false")
    case UInt8(ascii: "n"): return word("null")
    default: return number()
    }
  }

  /// An object; `member` must step over the value of each key.
  mutating func object(_ member: (UnsafeRawBufferPointer, inout JSONScanner) -> Bool) -> Bool {
    list("{", "}") { text in
      guard let key = text.string(), text.take(UInt8(ascii: ":")) else { return false }
      return member(key, &text)
    }
  }

  /// An array; `element` must step over each value.
  mutating func array(_ element: (inout JSONScanner) -> Bool) -> Bool { list("[", "]", element) }

  private mutating func list(
    _ begin: Unicode.Scalar, _ end: Unicode.Scalar, _ item: (inout JSONScanner) -> Bool
  ) -> Bool {
    guard depth < Self.deepest, take(UInt8(ascii: begin)) else { return false }
    depth += 1
    defer { depth -= 1 }
    if take(UInt8(ascii: end)) { return true }
    repeat { if !item(&self) { return false } } while take(UInt8(ascii: ","))
    return take(UInt8(ascii: end))
  }

  /// A text, as it stands between its quotation marks.
  mutating func string() -> UnsafeRawBufferPointer? {
    guard take(UInt8(ascii: "\"")) else { return nil }
    var end = rest.startIndex
    while end < rest.endIndex {
      let byte = rest[end]
      if byte == UInt8(ascii: "\"") {
        let text = UnsafeRawBufferPointer(rebasing: rest[..<end])
        rest = rest[(end + 1)...]
        return text
      }
      if byte < 0x20 { return nil }
      if byte == UInt8(ascii: "\\") {
        end += 1
        guard end < rest.endIndex else { return nil }
        if rest[end] == UInt8(ascii: "u") {
          let digits = rest[end...].dropFirst().prefix(4)
          guard digits.count == 4, digits.allSatisfy(Self.isHex) else { return nil }
        } else if !"\"\\/bfnrt".utf8.contains(rest[end]) {
          return nil
        }
      }
      end += 1
    }
    return nil
  }

  private static func isHex(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
      UInt8(ascii: "A")...UInt8(ascii: "F"):
      true
    default: false
    }
  }

  /// A whole number from 0, of at most 18 digits.
  mutating func integer() -> Int? {
    skipSpace()
    var number = 0
    guard let count = digits({ number = number &* 10 &+ Int($0) }), count <= 18 else { return nil }
    return number
  }

  /// Steps over digits.
  /// - Returns: how many there were; nil for none.
  private mutating func digits(_ digit: (UInt8) -> Void = { _ in }) -> Int? {
    let count = rest.prefix { $0 >= 0x30 && $0 <= 0x39 }.count
    for byte in rest.prefix(count) { digit(byte - 0x30) }
    rest.removeFirst(count)
    return count == 0 ? nil : count
  }

  private mutating func number() -> Bool {
    _ = take(UInt8(ascii: "-"))
    let isZero = rest.first == 0x30
    guard let whole = digits(), !isZero || whole == 1 else { return false }
    if rest.first == UInt8(ascii: ".") {
      rest.removeFirst()
      if digits() == nil { return false }
    }
    guard rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") else { return true }
    rest.removeFirst()
    if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest.removeFirst() }
    return digits() != nil
  }

  private mutating func word(_ word: StaticString) -> Bool {
    let count = word.utf8CodeUnitCount
    let isThere = word.withUTF8Buffer { rest.prefix(count).elementsEqual($0) }
    if isThere { rest.removeFirst(count) }
    return isThere
  }
}
