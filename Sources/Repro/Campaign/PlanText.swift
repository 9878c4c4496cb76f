/// Why a plan can't be read: one line that names the thing and the remedy.
public struct PlanError: Error, Equatable, CustomStringConvertible {
  /// One line.
  public let description: String

  /// An error that reads `description`.
  public init(_ description: String) { self.description = description }
}

extension Plan {
  /// Sets what the key `name` says, or adds to it.
  /// - Throws: PlanError that names key and value.
  public mutating func set(_ name: String, _ value: String) throws(PlanError) {
    guard let key = PlanKey.named(name) else { throw PlanError("'\(name)' is no setting of a plan") }
    if let need = key.read(&self, value) { throw PlanError("\(name)=\(value): \(need)") }
  }

  /// The settings that are not as usual, by key.
  var values: [(key: String, value: String)] {
    PlanKey.all.flatMap { key in key.write(self).map { (key.name, $0) } }
  }

  /// The plan as `key=value` lines, which a kernel command line, a file in an initramfs and a sealed
  /// executable can carry.
  public var text: String { values.map { "\($0.key)=\($0.value)\n" }.joined() }

  /// Reads `key=value` lines; lines that begin with `#` are comments. Keys that are missing have their default.
  /// - Throws: PlanError that names the line.
  public init(text: String) throws(PlanError) {
    var plan = Plan(Selection(), seed: .random)
    for line in text.split(separator: "\n") where !line.allSatisfy(\.isWhitespace) && line.first != "#" {
      guard let equals = line.firstIndex(of: "=") else {
        throw PlanError("'\(line)' is not of the form key=value")
      }
      try plan.set(String(line[..<equals]), String(line[line.index(after: equals)...]))
    }
    do throws(SelectionError) {
      _ = try plan.selection.chosenScenarios()
    } catch {
      throw PlanError(error.description)
    }
    self = plan
  }
}

extension Plan: Codable {
  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  /// Reads an object of keys and their values, as text.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    var lines = ""
    for key in container.allKeys {
      let values =
        try PlanKey.named(key.stringValue)?.isRepeatable == true
        ? container.decode([String].self, forKey: key) : [container.decode(String.self, forKey: key)]
      for value in values { lines += "\(key.stringValue)=\(value)\n" }
    }
    do throws(PlanError) {
      self = try Plan(text: lines)
    } catch {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: error.description))
    }
  }

  /// Writes them.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    for key in PlanKey.all {
      let values = key.write(self)
      if values.isEmpty { continue }
      if key.isRepeatable {
        try container.encode(values, forKey: Key(stringValue: key.name))
      } else {
        try container.encode(values[0], forKey: Key(stringValue: key.name))
      }
    }
  }
}
