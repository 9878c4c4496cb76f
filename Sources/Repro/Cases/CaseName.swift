/// The names of a case's parts: how plans, seals, records and reports say which case they mean.
///
/// Its text is `SCENARIO[.MEMORY].ENGINE[.TARGET].SCHEDULE`, as in `fork.pread.staged`; the memory `anon`
/// and the schedule's usual target are left out. Nothing else builds or reads such names.
public struct CaseName: Sendable, Hashable {
  /// The scenario's name.
  public var scenario: String
  /// The memory's name.
  public var memory: String
  /// The engine's name.
  public var engine: String
  /// The name of the target's kind.
  public var target: String
  /// How the trial's agents meet.
  public var schedule: Schedule

  /// A name of the given parts.
  public init(scenario: String, memory: String, engine: String, target: String, schedule: Schedule) {
    self.scenario = scenario
    self.memory = memory
    self.engine = engine
    self.target = target
    self.schedule = schedule
  }

  /// Reads a text of ``description``'s form; nil when it names no parts of this version.
  public init?(_ text: String) {
    var words = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard words.count >= 3, let schedule = Schedule(rawValue: words.removeLast()) else { return nil }
    scenario = words.removeFirst()
    guard Scenario.named(scenario) != nil else { return nil }
    self.schedule = schedule
    memory = MemoryKind.all[0].name
    if MemoryKind.named(words[0]) != nil { memory = words.removeFirst() }
    target = TargetKind.usual(for: schedule).name
    if let last = words.last, TargetKind.named(last) != nil { target = words.removeLast() }
    guard words.count == 1, EngineKind.named(words[0]) != nil else { return nil }
    engine = words[0]
  }
}

extension CaseName: CustomStringConvertible {
  /// `fork.pread.staged`, `fork.thp.pread.held-block.staged`.
  public var description: String {
    let memory = memory == MemoryKind.all[0].name ? "" : ".\(memory)"
    let target = target == TargetKind.usual(for: schedule).name ? "" : ".\(target)"
    return "\(scenario)\(memory).\(engine)\(target).\(schedule.rawValue)"
  }

  /// The same case of another scenario.
  func of(_ scenario: Scenario) -> CaseName {
    var name = self
    name.scenario = scenario.name
    return name
  }

  /// What of the name is not the scenario: `pread.staged`.
  public var lane: String { String(description.dropFirst(scenario.count + 1)) }
}

extension CaseName: Codable {
  private enum Key: String, CodingKey { case name, scenario, memory, engine, target, schedule }

  /// Reads the parts; the name is for people and programs that only group.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    scenario = try container.decode(String.self, forKey: .scenario)
    memory = try container.decode(String.self, forKey: .memory)
    engine = try container.decode(String.self, forKey: .engine)
    target = try container.decode(String.self, forKey: .target)
    schedule = try container.decode(Schedule.self, forKey: .schedule)
  }

  /// Writes the name and each part.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(description, forKey: .name)
    try container.encode(scenario, forKey: .scenario)
    try container.encode(memory, forKey: .memory)
    try container.encode(engine, forKey: .engine)
    try container.encode(target, forKey: .target)
    try container.encode(schedule, forKey: .schedule)
  }
}
