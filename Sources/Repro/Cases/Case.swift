/// The unit of everything: a scenario on a kind of memory, with an engine, on a target, under a schedule.
public struct Case: Sendable {
  /// What is done.
  public let scenario: Scenario
  /// What the buffer is.
  public let memory: MemoryKind
  /// How the I/O is issued.
  public let engine: EngineKind
  /// What is read or written.
  public let target: TargetSpec
  /// How the trial's agents meet.
  public let schedule: Schedule

  /// A case of the given parts.
  public init(
    scenario: Scenario, memory: MemoryKind, engine: EngineKind, target: TargetSpec, schedule: Schedule
  ) {
    self.scenario = scenario
    self.memory = memory
    self.engine = engine
    self.target = target
    self.schedule = schedule
  }

  /// Its name.
  public var name: CaseName {
    CaseName(
      scenario: scenario.name, memory: memory.name, engine: engine.name, target: target.kind.name,
      schedule: schedule)
  }

  /// All of it but the scenario: what the two controls speak for.
  public var lane: Lane { Lane(memory: memory, engine: engine, target: target, schedule: schedule) }

  /// Its parts, with what each needs and changes.
  public var parts: [any Part] { [scenario, memory, engine, target.kind] }

  /// Whether no other case may run at the same time: a part of it acts on the whole machine, others would have the
  /// same target, or its threads want all CPUs.
  public var runsAlone: Bool {
    parts.contains(where: \.actsOnMachine) || target.isOneForAll || schedule == .free
  }

  /// Whether one CPU is too few for it. All threads of a staged trial share one, unless a part needs another.
  package var needsTwoCPUs: Bool { schedule != .staged || parts.contains { $0.needs.contains(.twoCPUs) } }

  /// The disks that it needs.
  public var disks: [GuestDisk] { [target.kind.disk, memory.disk].compactMap(\.self) }

  /// How its I/O takes hold of memory, when `path` is the target's: registered buffers have been taken
  /// before.
  func path(on path: IOPath) -> IOPath { engine.traits.contains(.registers) ? .pin : path }
}

/// A case without its scenario.
public struct Lane: Sendable, Hashable {
  /// What the buffer is.
  public let memory: MemoryKind
  /// How the I/O is issued.
  public let engine: EngineKind
  /// What is read or written.
  public let target: TargetSpec
  /// How the trial's agents meet.
  public let schedule: Schedule

  /// The case of `scenario` in this lane.
  func with(_ scenario: Scenario) -> Case {
    Case(scenario: scenario, memory: memory, engine: engine, target: target, schedule: schedule)
  }

  /// Its parts, with what each needs and changes.
  var parts: [any Part] { [memory, engine, target.kind] }

  private var key: [String] { [memory.name, engine.name, "\(target)", schedule.rawValue] }

  /// Lanes are told apart by the names of their parts.
  public static func == (one: Lane, other: Lane) -> Bool { one.key == other.key }

  /// See ``==(_:_:)``.
  public func hash(into hasher: inout Hasher) { hasher.combine(key) }
}
