/// Why a plan can't be read: one line that names the thing and the remedy.
public struct PlanError: Error, Equatable, CustomStringConvertible {
  /// One line.
  public let description: String

  /// An error that reads `description`.
  public init(_ description: String) { self.description = description }
}

extension Plan {
  /// The names of the scenarios that `globs` select, in the order of the catalogue of scenarios and
  /// each once; the standard ones for no globs.
  /// - Throws: PlanError for a glob that selects nothing.
  public static func select(_ globs: [String]) throws(PlanError) -> [String] {
    if globs.isEmpty { return Scenario.standard.map(\.name) }
    var selected: Set<String> = []
    for text in globs {
      let glob = Glob(text)
      let names = Scenario.all.map(\.name).filter { glob.matches($0) }
      if names.isEmpty { throw PlanError("no scenario '\(text)'; 'repro list' names them all") }
      selected.formUnion(names)
    }
    return Scenario.all.map(\.name).filter(selected.contains)
  }

  /// The plan as `key=value` lines, which a kernel command line, a file in an initramfs and a sealed
  /// executable can carry.
  public var text: String {
    var lines = [
      "scenarios=\(scenarios.joined(separator: ","))",
      "engines=\(engines.map(\.rawValue).joined(separator: ","))",
      "schedules=\(schedules.map(\.rawValue).joined(separator: ","))",
      "seed=\(seed)",
      "confidence=\(confidence)",
    ]
    func put(_ key: String, _ value: (some CustomStringConvertible)?) {
      if let value { lines.append("\(key)=\(value)") }
    }
    put("held", held == .file ? nil : held.rawValue)
    put("target", target)
    put("target-optional", isTargetOptional ? "yes" : nil)
    put("overwrite", overwrite ? "yes" : nil)
    put("trials", trials)
    put("time", time)
    put("minimum-exposures", minimumExposures)
    put("stop-after-losses", stopAfterLosses)
    put("swap-device", swapDevice)
    put("patience", patience == Plan.standardPatience ? nil : patience)
    put("trial-numbers", trialNumbers?.map(String.init).joined(separator: ","))
    return lines.joined(separator: "\n") + "\n"
  }

  /// Reads `key=value` lines; lines that begin with `#` are comments. Keys that are missing have their default; `scenarios` may be globs.
  /// - Throws: PlanError that names the line.
  public init(text: String) throws(PlanError) {
    var plan = Plan(scenarios: [], seed: Seed(UInt64.random(in: .min ... .max)))
    var globs: [String] = []
    for line in text.split(separator: "\n") where !line.allSatisfy(\.isWhitespace) && line.first != "#" {
      guard let equals = line.firstIndex(of: "=") else {
        throw PlanError("'\(line)' is not of the form key=value")
      }
      let key = String(line[..<equals])
      let value = String(line[line.index(after: equals)...])
      if key == "scenarios" {
        globs = value.split(separator: ",").map(String.init)
      } else {
        try plan.set(key, value)
      }
    }
    plan.scenarios = try Plan.select(globs)
    self = plan
  }

  private mutating func set(_ key: String, _ value: String) throws(PlanError) {
    switch key {
    case "engines": engines = try Self.list(key, value)
    case "schedules": schedules = try Self.list(key, value)
    case "held":
      guard let kind = HeldKind(rawValue: value) else {
        throw PlanError("held=\(value): held or held-block is needed")
      }
      held = kind
    case "target": target = value
    case "target-optional": isTargetOptional = try Self.flag(key, value)
    case "overwrite": overwrite = try Self.flag(key, value)
    case "trials": trials = try Self.positive(key, value)
    case "minimum-exposures": minimumExposures = try Self.positive(key, value)
    case "stop-after-losses": stopAfterLosses = try Self.positive(key, value)
    case "swap-device": swapDevice = value
    case "time": time = try Self.seconds(key, value)
    case "patience": patience = try Self.seconds(key, value)
    case "trial-numbers":
      let numbers = value.split(separator: ",").map { Int($0) ?? -1 }
      if numbers.isEmpty || numbers.contains(where: { $0 < 0 }) {
        throw PlanError("trial-numbers=\(value): whole numbers from 0 are needed, separated by commas")
      }
      trialNumbers = numbers
    case "confidence":
      guard let number = Double(value), number > 0, number < 1 else {
        throw PlanError("confidence=\(value): a number between 0 and 1 is needed")
      }
      confidence = number
    case "seed":
      guard let number = Seed(parsing: value) else {
        throw PlanError("seed=\(value): a number, or hex after 0x, is needed")
      }
      seed = number
    default:
      throw PlanError("'\(key)' is no setting of a plan")
    }
  }

  private static func positive(_ key: String, _ value: String) throws(PlanError) -> Int {
    guard let number = Int(value), number > 0 else {
      throw PlanError("\(key)=\(value): a whole number above 0 is needed")
    }
    return number
  }

  private static func seconds(_ key: String, _ value: String) throws(PlanError) -> Double {
    guard let seconds = Double(value), seconds > 0, seconds.isFinite else {
      throw PlanError("\(key)=\(value): a number of seconds above 0 is needed")
    }
    return seconds
  }

  private static func flag(_ key: String, _ value: String) throws(PlanError) -> Bool {
    guard value == "yes" || value == "no" else { throw PlanError("\(key)=\(value): yes or no is needed") }
    return value == "yes"
  }

  private static func list<Item: RawRepresentable & CaseIterable>(
    _ key: String, _ value: String
  ) throws(PlanError) -> [Item] where Item.RawValue == String {
    var items: [Item] = []
    for name in value.split(separator: ",") {
      guard let item = Item(rawValue: String(name)) else {
        throw PlanError(
          "\(key)=\(name): one of \(Item.allCases.map(\.rawValue).joined(separator: ", ")) is needed")
      }
      items.append(item)
    }
    if items.isEmpty { throw PlanError("\(key)= names nothing") }
    return items
  }
}
