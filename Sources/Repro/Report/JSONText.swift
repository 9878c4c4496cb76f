/// Encodes values as one line of JSON, keys in the order they are written. The guest's binary has no
/// Foundation; reading is done on the host, with Foundation's decoder.
package enum JSONText {
  /// `value` on one line.
  package static func line(_ value: some Encodable) -> String {
    let root = Node()
    do {
      try value.encode(to: JSONTreeEncoder(root, []))
    } catch {
      // Only a value's own encode(to:) throws, and none of an event's does.
      return "{\"event\":\"note\",\"text\":\(quote("not encodable: \(error)"))}"
    }
    var text = ""
    root.write(to: &text)
    return text
  }

  /// A JSON value that grows while its containers are filled.
  final class Node {
    enum Value {
      case literal(String)
      case object([(key: String, node: Node)])
      case array([Node])
    }

    var value = Value.literal("null")

    func member(_ key: String) -> Node {
      var members: [(key: String, node: Node)] = []
      if case .object(let present) = value { members = present }
      let node = Node()
      value = .object(members + [(key, node)])
      return node
    }

    func element() -> Node {
      var elements: [Node] = []
      if case .array(let present) = value { elements = present }
      let node = Node()
      value = .array(elements + [node])
      return node
    }

    func write(to text: inout String) {
      switch value {
      case .literal(let literal): text += literal
      case .object(let members):
        text += "{"
        for (index, member) in members.enumerated() {
          text += (index == 0 ? "" : ",") + quote(member.key) + ":"
          member.node.write(to: &text)
        }
        text += "}"
      case .array(let elements):
        text += "["
        for (index, element) in elements.enumerated() {
          if index > 0 { text += "," }
          element.write(to: &text)
        }
        text += "]"
      }
    }
  }

  package static func quote(_ string: String) -> String {
    var text = "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }

  static func literal(_ value: some Encodable) -> String? {
    switch value {
    case let string as String: quote(string)
    case let bool as Bool: bool ? "true" : "false"
    case let number as Double: number.isFinite ? "\(number)" : "null"
    case let number as any FixedWidthInteger: "\(number)"
    default: nil
    }
  }
}

private struct JSONTreeEncoder: Encoder {
  let node: JSONText.Node
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  init(_ node: JSONText.Node, _ codingPath: [any CodingKey]) {
    self.node = node
    self.codingPath = codingPath
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    if case .literal = node.value { node.value = .object([]) }
    return KeyedEncodingContainer(Keyed<Key>(node: node, codingPath: codingPath))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    node.value = .array([])
    return Unkeyed(node: node, codingPath: codingPath)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer {
    Single(node: node, codingPath: codingPath)
  }

  fileprivate static func put(_ value: some Encodable, _ node: JSONText.Node, _ path: [any CodingKey]) throws
  {
    if let literal = JSONText.literal(value) {
      node.value = .literal(literal)
    } else {
      try value.encode(to: JSONTreeEncoder(node, path))
    }
  }

  private struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: JSONText.Node
    let codingPath: [any CodingKey]

    func encodeNil(forKey key: Key) { _ = node.member(key.stringValue) }
    func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
      try put(value, node.member(key.stringValue), codingPath + [key])
    }
    func nestedContainer<Nested: CodingKey>(
      keyedBy: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
      JSONTreeEncoder(node.member(key.stringValue), codingPath + [key]).container(keyedBy: keyedBy)
    }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
      JSONTreeEncoder(node.member(key.stringValue), codingPath + [key]).unkeyedContainer()
    }
    func superEncoder() -> any Encoder { JSONTreeEncoder(node.member("super"), codingPath) }
    func superEncoder(forKey key: Key) -> any Encoder {
      JSONTreeEncoder(node.member(key.stringValue), codingPath + [key])
    }
  }

  private struct Unkeyed: UnkeyedEncodingContainer {
    let node: JSONText.Node
    let codingPath: [any CodingKey]
    var count: Int {
      if case .array(let elements) = node.value { elements.count } else { 0 }
    }

    func encodeNil() { _ = node.element() }
    func encode<T: Encodable>(_ value: T) throws { try put(value, node.element(), codingPath) }
    func nestedContainer<Nested: CodingKey>(keyedBy: Nested.Type) -> KeyedEncodingContainer<Nested> {
      JSONTreeEncoder(node.element(), codingPath).container(keyedBy: keyedBy)
    }
    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
      JSONTreeEncoder(node.element(), codingPath).unkeyedContainer()
    }
    func superEncoder() -> any Encoder { JSONTreeEncoder(node.element(), codingPath) }
  }

  private struct Single: SingleValueEncodingContainer {
    let node: JSONText.Node
    let codingPath: [any CodingKey]

    func encodeNil() {}
    func encode<T: Encodable>(_ value: T) throws { try put(value, node, codingPath) }
  }
}
