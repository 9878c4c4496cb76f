/// Which cases a plan runs: names on each axis, or nothing where the usual is meant.
///
/// Axes that are named are combined in full, with the usual part of those that are not. When nobody names a
/// memory, an engine or a target, each of their parts is used once, one axis varied at a time, with the
/// scenarios that were named (or with `fork`, when none was): every part is covered but for disks with file
/// systems, and no product is run that nobody asked for.
public struct Selection: Sendable, Equatable {
  /// Names of scenarios, or globs of them; empty for the standard ones.
  public var scenarios: [String] = []
  /// Kinds of memory.
  public var memories: [MemoryKind] = []
  /// Engines.
  public var engines: [EngineKind] = []
  /// Targets.
  public var targets: [TargetSpec] = []
  /// Schedules.
  public var schedules: [Schedule] = []
  /// Where a target that takes a path is when nobody names one: a guest's disk.
  public var scratch: TargetSpec?
  /// Combines all parts of all axes.
  public var isExhaustive = false
  /// These cases and no others; the axes above say nothing then.
  public var cases: [CaseName] = []
  /// The share of all these cases that is meant; nil for all.
  public var shard: Shard?

  /// A selection of `scenarios`, names or globs.
  public init(scenarios: [String] = []) { self.scenarios = scenarios }

  /// A selection of one case.
  public init(_ name: CaseName, target: TargetSpec? = nil) {
    scenarios = [name.scenario]
    memories = MemoryKind.named(name.memory).map { [$0] } ?? []
    engines = EngineKind.named(name.engine).map { [$0] } ?? []
    targets = target.map { [$0] } ?? TargetKind.named(name.target).map { [TargetSpec($0)] } ?? []
    schedules = [name.schedule]
  }

  /// Selections are told apart by what they name.
  public static func == (one: Selection, other: Selection) -> Bool {
    one.scenarios == other.scenarios && one.memories.map(\.name) == other.memories.map(\.name)
      && one.engines.map(\.name) == other.engines.map(\.name) && one.targets == other.targets
      && one.schedules == other.schedules && one.scratch == other.scratch
      && one.isExhaustive == other.isExhaustive && one.cases == other.cases && one.shard == other.shard
  }

  /// The scenarios that are meant, in the order of the table.
  /// - Throws: SelectionError for a glob that selects nothing.
  public func chosenScenarios() throws(SelectionError) -> [Scenario] {
    if !cases.isEmpty {
      var seen: Set<String> = []
      return cases.compactMap { Scenario.named($0.scenario) }.filter { seen.insert($0.name).inserted }
    }
    if scenarios.isEmpty { return Scenario.standard + (isExhaustive ? Scenario.pairs : []) }
    var names: Set<String> = []
    var known = Scenario.all
    for text in scenarios {
      let glob = Glob(text)
      // Pairs are many: only for everything, or for who means them.
      let isPair = isExhaustive || Glob("*-then-*").matches(text)
      if isPair { known = Scenario.all + Scenario.pairs }
      let found = (isPair ? known : Scenario.all).map(\.name).filter { glob.matches($0) }
      if found.isEmpty { throw SelectionError("no scenario '\(text)'; 'repro list' names them all") }
      names.formUnion(found)
    }
    return known.filter { names.contains($0.name) }
  }

  /// Whether a target's own schedule is among those that are selected.
  public func serves(_ target: TargetSpec) -> Bool {
    schedules.isEmpty || !target.kind.schedules.isDisjoint(with: schedules)
  }

  /// The cases, a scenario at a time, with those that mean nothing and why.
  public func expand(
    _ chosen: [Scenario], depth: Int
  ) -> (cases: [Case], excluded: [(case: Case, reason: String)]) {
    var cases: [Case] = []
    var excluded: [(case: Case, reason: String)] = []
    for scenario in chosen {
      let namesAxes = !(memories.isEmpty && engines.isEmpty && targets.isEmpty)
      // Of pairs each is run once: with all of everything they would take hours.
      let isPair = !scenario.pair.isEmpty
      let varies = !isPair && (isExhaustive || !namesAxes && (!scenarios.isEmpty || scenario.name == "fork"))
      var seen: Set<CaseName> = []
      let wanted =
        self.cases.isEmpty
        ? combinations(scenario, varies: varies) : self.cases.compactMap { single($0, of: scenario) }
      for one in wanted where seen.insert(one.name).inserted {
        if let reason = one.exclusion(depth: depth) {
          excluded.append((one, reason))
        } else {
          cases.append(one)
        }
      }
    }
    return (shard?.share(of: cases) ?? cases, excluded)
  }

  /// The case of that name, if it is one of `scenario`.
  private func single(_ name: CaseName, of scenario: Scenario) -> Case? {
    guard name.scenario == scenario.name, let memory = MemoryKind.named(name.memory),
      let engine = EngineKind.named(name.engine), let target = TargetKind.named(name.target)
    else { return nil }
    return Case(
      scenario: scenario, memory: memory, engine: engine, target: place(TargetSpec(target)),
      schedule: name.schedule)
  }

  /// The target, with the path of ``scratch`` if it is of its kind and has none.
  private func place(_ spec: TargetSpec) -> TargetSpec {
    guard let scratch, spec.path == nil, spec.kind.name == scratch.kind.name else { return spec }
    return scratch
  }

  private func combinations(_ scenario: Scenario, varies: Bool) -> [Case] {
    let isPair = !scenario.pair.isEmpty
    // Each axis has its parts, and for how many of them it is combined with the other axes' in full.
    func axis<Part>(_ named: [Part], _ all: [Part], usual: [Part]) -> (full: [Part], rest: [Part]) {
      if !named.isEmpty { return (named, []) }
      return isExhaustive && !isPair ? (all, []) : (usual, varies ? all : [])
    }
    // The engine of a scenario that needs a special one is that one.
    let fitting = EngineKind.all.filter { scenario.engine.isSubset(of: $0.traits) }
    let memoriesHere = MemoryKind.all.filter {
      isExhaustive || $0.disk == nil || scenario.memory.contains(.cached)
    }
    let memory = axis(memories, memoriesHere, usual: [scenario.usualMemory])
    let engine = axis(engines, EngineKind.all, usual: Array(fitting.prefix(1)))
    // A disk with a file system takes a guest time to make ready, and a host has none: for targets and memory
    // alike.
    let unasked = TargetKind.all.filter { isExhaustive || $0.disk == nil }
    let allTargets = unasked.map { place(TargetSpec($0)) }
    var found: [Case] = []
    for schedule in schedules.isEmpty ? Schedule.allCases : schedules {
      // A race of each scenario, engine or memory takes its time, and tells what the staged ones tell.
      let isUnasked = schedule != .staged && schedules.isEmpty && scenarios.isEmpty && !isExhaustive
      if isUnasked && !scenario.isRacedUnasked && targets.isEmpty { continue }
      // Of single hazards it tells what their race tells.
      if schedule == .free && schedules.isEmpty && !isExhaustive && !scenario.isFreeOnly { continue }
      let usual = place(TargetSpec(TargetKind.usual(for: schedule)))
      // A named target names its schedule too, unless that is named itself.
      let fits = (schedules.isEmpty ? targets.filter { $0.kind.schedules.contains(schedule) } : targets).map(
        place)
      if !targets.isEmpty && fits.isEmpty { continue }
      let target = axis(fits, allTargets.filter { $0.kind.schedules.contains(schedule) }, usual: [usual])
      let plain =
        memories.isEmpty && isExhaustive && !isPair ? memory.full.filter { !$0.isState } : memory.full
      func add(_ memories: [MemoryKind], _ engines: [EngineKind], _ targets: [TargetSpec]) {
        for memory in memories {
          for target in targets {
            for engine in engines {
              found.append(
                Case(
                  scenario: scenario, memory: memory, engine: engine, target: target, schedule: schedule))
            }
          }
        }
      }
      add(plain, engine.full, target.full)
      if plain.count < memory.full.count {
        add(memory.full, engines.isEmpty ? Array(fitting.prefix(1)) : engines, fits.isEmpty ? [usual] : fits)
      }
      if isUnasked || schedule == .free { continue }
      add(memory.full, engine.rest, target.full)
      add(memory.rest, engine.full, target.full)
      add(memory.full, engine.full, target.rest)
    }
    return found
  }
}

/// Why nothing can be selected: one line that names the thing and the remedy.
public struct SelectionError: Error, Equatable, CustomStringConvertible {
  /// One line.
  public let description: String

  init(_ description: String) { self.description = description }
}
