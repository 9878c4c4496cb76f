/// Encodes values as one line of JSON, keys in the order they are written. The guest's binary has no
/// Foundation; reading is done on the host, with Foundation's decoder.
///
/// Text is written as containers are filled, with no tree in between: a value that asks for a container opens
/// a bracket, and whoever put the value there closes it once the value has encoded itself.
package enum JSONText {
  /// `value` on one line.
  package static func line(_ value: some Encodable) -> String {
    let text = Text()
    do {
      try text.put(value)
    } catch {
      // Only a value's own encode(to:) throws, and none of an event's does.
      return "{\"event\":\"note\",\"text\":\(quote("not encodable: \(error)"))}"
    }
    return String(decoding: text.bytes, as: UTF8.self)
  }

  /// `string` as JSON has it, in its quotation marks.
  package static func quote(_ string: String) -> String {
    let text = Text()
    text.write(string)
    return String(decoding: text.bytes, as: UTF8.self)
  }

  /// JSON that grows at its end.
  fileprivate final class Text {
    // One thread has it, and no method calls out while it changes them: checks would take half of the time.
    @exclusivity(unchecked) private(set) var bytes: [UInt8] = []
    @exclusivity(unchecked) private var open: [(isObject: Bool, isEmpty: Bool)] = []

    init() { bytes.reserveCapacity(1 << 10) }

    /// How many brackets are open.
    var level: Int { open.count }

    /// Writes a value where one may stand.
    func put(_ value: some Encodable) throws {
      let (level, length) = (level, bytes.count)
      try value.encode(to: TextEncoder(text: self, level: level))
      if bytes.count == length { writeNull() }  // it asked for no container
      close(to: level)
    }

    /// Makes the container at `level` the innermost one; opens it unless the same value did so before.
    func container(at level: Int, isObject: Bool) {
      if self.level > level { return close(to: level + 1) }
      open.append((isObject, true))
      bytes.append(UInt8(ascii: isObject ? "{" : "["))
    }

    /// Begins an element of the array at `level`.
    func element(at level: Int) {
      close(to: level + 1)
      if !open[level].isEmpty { bytes.append(UInt8(ascii: ",")) }
      open[level].isEmpty = false
    }

    /// Begins a member of the object at `level`.
    func member(_ key: String, at level: Int) {
      element(at: level)
      write(key)
      bytes.append(UInt8(ascii: ":"))
    }

    private func close(to level: Int) {
      while open.count > level {
        bytes.append(UInt8(ascii: open.removeLast().isObject ? "}" : "]"))
      }
    }

    func writeNull() { bytes += "null".utf8 }
    func write(_ value: Bool) { bytes += (value ? "true" : "false").utf8 }
    func write(_ value: Double) { if value.isFinite { bytes += "\(value)".utf8 } else { writeNull() } }
    func write(_ value: some FixedWidthInteger) { bytes += String(value).utf8 }

    func write(_ string: String) {
      bytes.append(UInt8(ascii: "\""))
      var string = string
      string.withUTF8 { text in
        var plain = 0  // where the bytes begin that can be copied as they are
        for (at, byte) in text.enumerated()
        where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
          bytes += text[plain..<at]
          writeEscaped(byte)
          plain = at + 1
        }
        bytes += text[plain...]
      }
      bytes.append(UInt8(ascii: "\""))
    }

    private func writeEscaped(_ byte: UInt8) {
      switch byte {
      case UInt8(ascii: "\""): bytes += "\\\"".utf8
      case UInt8(ascii: "\\"): bytes += "\\\\".utf8
      case UInt8(ascii: "\n"): bytes += "\\n".utf8
      case UInt8(ascii: "\t"): bytes += "\\t".utf8
      default: bytes += "\\u00\(byte < 0x10 ? "0" : "")\(String(byte, radix: 16))".utf8
      }
    }
  }
}

private struct TextEncoder: Encoder {
  let text: JSONText.Text
  /// That of the container which the value may ask for.
  let level: Int
  var codingPath: [any CodingKey] { [] }  // for errors, which nothing here throws
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    text.container(at: level, isObject: true)
    return KeyedEncodingContainer(Keyed<Key>(text: text, level: level))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    text.container(at: level, isObject: false)
    return Unkeyed(text: text, level: level)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { Single(text: text) }

  private struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let text: JSONText.Text
    let level: Int
    var codingPath: [any CodingKey] { [] }

    private func value(_ key: Key) -> TextEncoder {
      text.member(key.stringValue, at: level)
      return TextEncoder(text: text, level: level + 1)
    }

    func encodeNil(forKey key: Key) { value(key).text.writeNull() }
    func encode(_ value: String, forKey key: Key) { self.value(key).text.write(value) }
    func encode(_ value: Bool, forKey key: Key) { self.value(key).text.write(value) }
    func encode(_ value: Double, forKey key: Key) { self.value(key).text.write(value) }
    func encode<T: FixedWidthInteger & Encodable>(_ value: T, forKey key: Key) {
      self.value(key).text.write(value)
    }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try self.value(key).text.put(value) }
    func nestedContainer<Nested: CodingKey>(
      keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> { value(key).container(keyedBy: type) }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
      value(key).unkeyedContainer()
    }
    func superEncoder() -> any Encoder {
      text.member("super", at: level)
      return TextEncoder(text: text, level: level + 1)
    }
    func superEncoder(forKey key: Key) -> any Encoder { value(key) }
  }

  private struct Unkeyed: UnkeyedEncodingContainer {
    let text: JSONText.Text
    let level: Int
    private(set) var count = 0
    var codingPath: [any CodingKey] { [] }

    init(text: JSONText.Text, level: Int) {
      self.text = text
      self.level = level
    }

    private mutating func element() -> TextEncoder {
      text.element(at: level)
      count += 1
      return TextEncoder(text: text, level: level + 1)
    }

    mutating func encodeNil() { element().text.writeNull() }
    mutating func encode(_ value: String) { element().text.write(value) }
    mutating func encode<T: FixedWidthInteger & Encodable>(_ value: T) { element().text.write(value) }
    mutating func encode<T: Encodable>(_ value: T) throws { try element().text.put(value) }
    mutating func nestedContainer<Nested: CodingKey>(
      keyedBy type: Nested.Type
    ) -> KeyedEncodingContainer<Nested> { element().container(keyedBy: type) }
    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { element().unkeyedContainer() }
    mutating func superEncoder() -> any Encoder { element() }
  }

  private struct Single: SingleValueEncodingContainer {
    let text: JSONText.Text
    var codingPath: [any CodingKey] { [] }

    func encodeNil() { text.writeNull() }
    func encode(_ value: Bool) { text.write(value) }
    func encode(_ value: String) { text.write(value) }
    func encode(_ value: Double) { text.write(value) }
    func encode(_ value: Float) { text.write(Double(value)) }
    func encode<T: FixedWidthInteger & Encodable>(_ value: T) { text.write(value) }
    func encode<T: Encodable>(_ value: T) throws { try text.put(value) }
  }
}
