/// How a trial's agents meet.
public enum Schedule: String, Sendable, Codable, CaseIterable {
  /// The I/O is held in flight while the hazard is done.
  case staged
  /// Threads run free; only their start is steered.
  case race
  /// Several readers and every hazard, each on a thread of its own, and nobody waits.
  case free
}

extension Schedule {
  /// Readers of the free schedule, and pages that each reads in turn.
  static let (freeReaders, pagesOfReader) = (6, 3)
  /// All of them.
  static let freePages = freeReaders * pagesOfReader
}

/// Who acts on the page after the hazard.
public enum Toucher: String, Sendable, Codable, CaseIterable {
  /// A CPU store by this process, to bytes that the I/O does not cover.
  case store
  /// The same by a thread on another CPU, whose TLB has the page from before the hazard: a translation that
  /// the kernel forgot to flush there is used.
  case remoteStore = "store on another CPU"
  /// process_vm_writev(2), as another process would call it: the kernel stores, through the page tables.
  case vmWrite = "process_vm_writev"
  /// A write to /proc/self/mem: what ptrace(2) does for a debugger that pokes.
  case memWrite = "write to /proc/self/mem"
  /// A second direct read, into another part of the page.
  case secondRead = "second read"
  /// The hazard's child stores, in its own view of the page.
  case childStore = "child's store"
  /// Nobody.
  case none
}

/// What is done in a trial, one thing after the other.
public enum Step: Sendable, Equatable {
  /// The engine makes the buffer known to the kernel.
  case attach
  /// The I/O is issued; where the target holds it, until it is in flight.
  case issue
  /// Hazard number n of the scenario acts.
  case hazard(Int)
  /// Somebody acts on the page.
  case touch(Toucher)
  /// The hold lets go.
  case release
  /// The I/O comes back.
  case reap
}

extension [Step] {
  /// The page is put in danger while the I/O is held.
  public static func held(_ toucher: Toucher = .store, hazards: Int = 1) -> [Step] {
    [.attach, .issue] + (0..<hazards).map(Step.hazard) + [.touch(toucher), .release, .reap]
  }

  /// The page is put in danger while it is registered, before the I/O is issued; nothing is held.
  public static let registered: [Step] = [.attach, .hazard(0), .touch(.store), .issue, .release, .reap]

  /// The page is put in danger before the I/O takes it, and touched while the I/O has it.
  public static let beforehand: [Step] = [.attach, .hazard(0), .issue, .touch(.store), .release, .reap]

  /// Who touches.
  var toucher: Toucher {
    for case .touch(let toucher) in self { return toucher }
    return .none
  }

  /// Whether a hazard comes before the I/O.
  var actsBeforeIssue: Bool {
    guard let hazard = firstIndex(of: .hazard(0)), let issue = firstIndex(of: .issue) else { return false }
    return hazard < issue
  }
}

/// Makes a hazard for trials with so many pages under I/O.
typealias HazardMaker = @Sendable (_ depth: Int) throws(KernelError) -> any Hazard

/// One way to ask the kernel whether a page stays behind its address while I/O is in flight.
public struct Scenario: Part {
  /// What it is for.
  public enum Role: String, Sendable, Codable {
    /// Asks the kernel.
    case hazard
    /// Must lose data, whatever the kernel does.
    case positiveControl = "positive control"
    /// Can't lose any.
    case negativeControl = "negative control"
  }

  /// What its I/O may do with the page cache of the target.
  public enum Caching: String, Sendable {
    /// It is direct; what leaves anything in the page cache was not, and exposes nothing.
    case none
    /// It is buffered; what leaves nothing there was not, and shows nothing.
    case only
    /// It is asked to be direct, and the file system may do otherwise.
    case allowed
  }

  /// Unique, without `.`, `#` or white space.
  public let name: String
  /// One line.
  public let summary: String
  /// What it is for.
  public let role: Role
  /// Reads can lose, and writes whose bytes the target has not got when the page is stored to; other writes are
  /// negative controls.
  public let direction: Direction
  /// What is done, in order.
  public let steps: [Step]
  /// The interleaving that loses data, one column an agent; empty for negative controls.
  public let drawing: String
  /// The guards that it may see at work; empty for controls.
  public let guards: [Guard]
  /// See ``Part``.
  public let needs: [Need]
  /// See ``Part``.
  public let settings: [Setting]
  /// What the memory must be like for the hazard to mean anything.
  public let memory: Set<MemoryKind.Trait>
  /// What the engine must be like.
  public let engine: Set<EngineKind.Trait>
  /// What losses look like if the kernel is wrong in the way that the scenario asks about; other damage
  /// is unexplained.
  public let losses: Set<Damage.Kind>
  /// What its I/O may do with the page cache.
  public let caching: Caching
  /// Whether its hazard waits for bytes of the target, which a device that is suspended does not give.
  let waitsForTarget: Bool
  /// Why the race schedule can't run it; nil when it can.
  public let raceObstacle: String?
  /// Whether it is raced when nobody names scenarios or schedules: a race takes its time, and says less than
  /// the staged trials.
  public let isRacedUnasked: Bool
  /// What acts in the free schedule, each on a thread of its own; empty for what has no place there.
  let agents: [Agent]
  /// Whether nothing but the free schedule can run it: its agents act all the time, several at once.
  let isFreeOnly: Bool
  /// Whether bytes are those of the recipe of 2008: 0xff is read over zeros, 512 bytes at once, and stores are of one
  /// byte.
  let isLiteral: Bool
  /// The names of the two scenarios whose hazards follow each other here, for a pair that was generated.
  let pair: [String]
  /// The hazard in C; nil for what ``CExport`` can't write.
  let c: CFragment?
  /// Why it has no C, in words that follow "can't be exported: "; nil when it has.
  let withoutC: String?
  /// Make the hazards that the steps name.
  let makeHazards: [HazardMaker]

  init(
    _ name: String, _ summary: String, role: Role = .hazard, direction: Direction = .read,
    steps: [Step]? = nil, drawing: String = "", guards: [Guard] = [], needs: [Need] = [],
    settings: [Setting] = [],
    memory: Set<MemoryKind.Trait> = [], engine: Set<EngineKind.Trait> = [],
    losses: Set<Damage.Kind> = [.lostRead, .torn], caching: Caching = .none,
    waitsForTarget: Bool = false, raceObstacle: String? = nil, isRacedUnasked: Bool = false,
    c: CFragment? = nil, pair: [String] = [], runsFree: Bool = false, agents: [Agent] = [],
    isLiteral: Bool = false, withoutC: String? = nil, then more: [HazardMaker] = [],
    hazard: @escaping HazardMaker
  ) {
    self.name = name
    self.summary = summary
    self.role = role
    self.direction = direction
    self.steps = steps ?? .held(hazards: 1 + more.count)
    self.drawing = drawing
    self.guards = guards
    self.needs = needs
    self.settings = settings
    self.memory = memory
    self.engine = engine
    self.losses = losses
    self.caching = caching
    self.waitsForTarget = waitsForTarget
    self.raceObstacle = raceObstacle
    self.isRacedUnasked = isRacedUnasked
    self.pair = pair
    self.c = c
    self.withoutC = withoutC
    makeHazards = [hazard] + more
    self.agents = runsFree ? [Agent(name, make: hazard)] : agents
    isFreeOnly = !agents.isEmpty
    self.isLiteral = isLiteral
  }

  /// Why direct writes have no C.
  static let writeWithoutC = "programs look for what was read, and it writes"

  /// Whether it is a hazard's negative control, a direct write that may hold what was there before or after.
  public var isWriteControl: Bool { role == .negativeControl && direction == .write }

  /// Whether the target must have none of its write's bytes before the page was stored to.
  public var isLeftUnread: Bool { direction == .write && steps.actsBeforeIssue }

  /// One hazard of the free schedule.
  struct Agent: Sendable {
    /// What the log of a page calls it.
    let name: String
    private let needs: [Need]
    let make: HazardMaker

    /// - Parameter needs: what it can't do without; it is left out where that is missing.
    init(_ name: String, needs: [Need] = [], make: @escaping HazardMaker) {
      self.name = name
      self.needs = needs
      self.make = make
    }

    /// Why it can't act here, or nil.
    var missing: String? { needs.lazy.compactMap { $0.missing() }.first }
  }

  /// The memory that it uses when nobody says which: the first that will do.
  public var usualMemory: MemoryKind {
    MemoryKind.all.first { memory.isSubset(of: $0.traits) } ?? MemoryKind.all[0]
  }
}
