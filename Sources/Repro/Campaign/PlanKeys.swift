/// One setting of a plan: how it is called, explained, read and written. The plan's text, JSON, the command
/// line and the guests all go through this table, and none of them knows a setting of its own.
public struct PlanKey: Sendable {
  /// The name: `min-exposures`; on the command line `--min-exposures`.
  public let name: String
  /// One sentence for people.
  public let help: String
  /// Whether the key may come more than once, one value each time.
  public let isRepeatable: Bool
  /// Sets it, or adds to it.
  /// - Returns: what is needed instead, for a value that can't be used.
  let read: @Sendable (inout Plan, String) -> String?
  /// The values that make it what it is; none where it has its default.
  let write: @Sendable (Plan) -> [String]
}

extension PlanKey {
  /// Every setting, in the order of the text.
  public static let all: [PlanKey] = [
    list(
      "scenarios", "Scenarios, or globs of them; the standard ones if none is given.", \.selection.scenarios
    ) {
      $0
    } print: {
      $0
    },
    list(
      "memory", "Memory of the buffer: \(names(MemoryKind.all)). Repeatable.", \.selection.memories,
      MemoryKind.named, print: \.name, of: names(MemoryKind.all)),
    list(
      "engine", "How the I/O is issued: \(names(EngineKind.all)). Repeatable.", \.selection.engines,
      EngineKind.named, print: \.name, of: names(EngineKind.all)),
    PlanKey(
      name: "target",
      help: """
        What holds its I/O: \(TargetKind.heldNames); or a folder, new file or block device to race on; a folder \
        gets an unnamed file that vanishes. Repeatable.
        """,
      isRepeatable: true,
      read: { plan, text in
        guard let spec = TargetSpec(parsing: text) else { return "a target or a path" }
        plan.selection.targets.append(spec)
        return nil
      }, write: { $0.selection.targets.map(\.description) }),
    list(
      "schedule",
      "staged: the I/O is held in flight; race: threads run free; free: several readers and all hazards at once. "
        + "Repeatable; all if not given.",
      \.selection.schedules, Schedule.init(rawValue:), print: \.rawValue, of: "staged, race, free"),
    list(
      "cases", "Single cases, by their names; no other axis counts then.", \.selection.cases,
      CaseName.init(_:), print: \.description, of: "the cases of 'repro list --cases'"),
    value(
      "shard", "Only a share of the cases, as 2/8; 'repro merge' makes one report of all shares.",
      "I/N is needed, with I from 1 to N", Shard.init(parsing:),
      get: \.selection.shard, set: { $0.selection.shard = $1 }),
    PlanKey(
      name: "all", help: "Combine all memories, engines, targets and schedules with each other.",
      isRepeatable: false,
      read: { plan, text in
        plan.selection.isExhaustive = text == "yes"
        return text == "yes" || text == "no" ? nil : "yes or no"
      }, write: { $0.selection.isExhaustive ? ["yes"] : [] }),
    number(
      "depth", "Pages under one hazard. Default: 1.", "a whole number from 1 to 256",
      get: { $0.depth == 1 ? nil : $0.depth }, set: { $0.depth = $1 }, of: 1...256),
    number(
      "bytes",
      "Bytes of a read, a multiple of 512 up to \(Shape.longest). Default: all of a page but its last 512.",
      "a multiple of 512 from 512 to \(Shape.longest)",
      get: \.shape.bytes, set: { $0.shape.bytes = $1 }, of: Pattern.blockSize...Shape.longest,
      step: Pattern.blockSize),
    number(
      "parts",
      "Segments that each read is cut into: an I/O vector, or requests of their own with libaio and io_uring. Default: 1.",
      "a whole number from 1 to 16",
      get: { $0.shape.parts == 1 ? nil : $0.shape.parts }, set: { $0.shape.parts = $1 }, of: 1...16),
    number(
      "trials", "Trials a case. Default: 20 staged; what fits in the time for race.",
      get: \.trials, set: { $0.trials = $1 }),
    seconds("time", "Seconds a case. Default: 0.5 for race.", get: \.time) { $0.time = $1 },
    value(
      "seed", "Seed of patterns and delays, decimal or 0x hex. Default: random, and printed.",
      "a number, or hex after 0x, is needed", Seed.init(parsing:), get: \.seed, set: { $0.seed = $1 }),
    number(
      "min-exposures", "Exposed trials below which a case is inconclusive. Default: 3 staged, 50 race.",
      get: \.minimumExposures, set: { $0.minimumExposures = $1 }),
    number(
      "stop-after-losses", "End a case after so many trials that lost data. Default: run all trials.",
      get: \.stopAfterLosses, set: { $0.stopAfterLosses = $1 }),
    value(
      "confidence", "Of upper bounds, between 0 and 1. Default: 0.95.", "a number between 0 and 1 is needed",
      { Double($0).flatMap { 0 < $0 && $0 < 1 ? $0 : nil } },
      get: { $0.confidence == 0.95 ? nil : $0.confidence }, set: { $0.confidence = $1 }),
    seconds(
      "patience", "Seconds that a race goes on for exposures it lacks. Default: 30.",
      get: { $0.patience == Plan.standardPatience ? nil : $0.patience }
    ) { $0.patience = $1 },
    PlanKey(
      name: "trial-numbers", help: "Numbers of the trials to run, separated by commas.", isRepeatable: false,
      read: { plan, text in
        let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
        if numbers.contains(where: { !(0..<TrialNumber.limit).contains($0) }) {
          return "numbers from 0 to \(TrialNumber.limit - 1) are needed, separated by commas"
        }
        plan.trialNumbers = numbers
        return nil
      }, write: { $0.trialNumbers.map { [$0.map(String.init).joined(separator: ",")] } ?? [] }),
    value(
      "scratch", "Where a race is run when no target is named, as KIND+RIGHTS:PATH.",
      "a target or a path is needed", TargetSpec.init(parsing:),
      get: \.selection.scratch, set: { $0.selection.scratch = $1 }),
    value(
      "swap-device",
      """
      Where swap is made, and pages go whatever other swap is on: zram (a free zram device), file (one of the \
      suite's own), a block device, whose content is lost, or in guests disk (theirs). Default: what is on, or \
      else zram or a file; a guest's disk.
      """, "zram, file, disk or the path of a block device is needed", SwapPlace.init(parsing:),
      get: \.swapPlace, set: { $0.swapPlace = $1 }),
  ]

  /// The setting of that name.
  public static func named(_ name: String) -> PlanKey? { all.first { $0.name == name } }

  // MARK: Kinds of settings

  private static func names(_ parts: [some Part]) -> String { parts.map(\.name).joined(separator: ", ") }

  private static func list<Item>(
    _ name: String, _ help: String, _ path: any WritableKeyPath<Plan, [Item]> & Sendable,
    _ parse: @escaping @Sendable (String) -> Item?, print: @escaping @Sendable (Item) -> String,
    of choices: String = ""
  ) -> PlanKey {
    PlanKey(
      name: name, help: help, isRepeatable: true,
      read: { plan, text in
        for word in text.split(separator: ",") {
          guard let item = parse(String(word)) else { return "one of \(choices) is needed" }
          plan[keyPath: path].append(item)
        }
        return text.contains { $0 != "," } ? nil : "a name is needed"
      },
      write: {
        let words = $0[keyPath: path].map(print)
        return words.isEmpty ? [] : [words.joined(separator: ",")]
      })
  }

  private static func number(
    _ name: String, _ help: String, _ need: String = "a whole number above 0",
    get: @escaping @Sendable (Plan) -> Int?, set: @escaping @Sendable (inout Plan, Int) -> Void,
    of range: ClosedRange<Int> = 1...1_000_000_000, step: Int = 1
  ) -> PlanKey {
    value(
      name, help, "\(need) is needed",
      { Int($0).flatMap { range.contains($0) && $0.isMultiple(of: step) ? $0 : nil } }, get: get, set: set)
  }

  private static func seconds(
    _ name: String, _ help: String, get: @escaping @Sendable (Plan) -> Double?,
    set: @escaping @Sendable (inout Plan, Double) -> Void
  ) -> PlanKey {
    value(
      name, help, "a number of seconds above 0 is needed",
      { Double($0).flatMap { $0 > 0 && $0.isFinite ? $0 : nil } }, get: get, set: set)
  }

  /// One value, whose description is its text.
  /// - Parameter get: the value; nil where it is the default.
  private static func value<Value>(
    _ name: String, _ help: String, _ need: String, _ parse: @escaping @Sendable (String) -> Value?,
    get: @escaping @Sendable (Plan) -> Value?, set: @escaping @Sendable (inout Plan, Value) -> Void
  ) -> PlanKey {
    PlanKey(
      name: name, help: help, isRepeatable: false,
      read: { plan, text in
        guard let value = parse(text) else { return need }
        set(&plan, value)
        return nil
      }, write: { get($0).map { ["\($0)"] } ?? [] })
  }
}

/// Bounds of trial numbers: place and pattern are computed from them.
enum TrialNumber {
  static let limit = 1_000_000_000
}

extension TargetSpec {
  /// Reads ``description``'s form; a text that names no kind is a path of the one that takes paths.
  public init?(parsing text: String) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let words = parts[0].split(separator: "+").map(String.init)
    guard let first = words.first, let kind = TargetKind.named(first) else {
      if text.isEmpty { return nil }
      self.init(.scratch, path: text)
      return
    }
    let rights = words.dropFirst()
    guard rights.allSatisfy({ ["overwrite", "optional"].contains($0) }) else { return nil }
    self.init(
      kind, path: parts.count > 1 ? parts[1] : nil, overwrite: rights.contains("overwrite"),
      isOptional: rights.contains("optional"))
  }
}
