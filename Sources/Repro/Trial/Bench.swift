/// What all trials of a case share: buffer, hazards, the thread that does the I/O, and the judge.
final class Bench {
  let scenario: Scenario
  let buffer: Buffer
  let target: any Target
  let hazards: [any Hazard]
  let io: IOThread
  let judge: Judge
  let patience: Nanoseconds
  let timeline = Timeline()
  private let schedule: Schedule
  /// Whether its engine has to know the buffer; see ``attach()``.
  let registers: Bool
  private var isClosed = false

  /// - Parameters:
  ///   - length: bytes of a piece, whole pages.
  ///   - touchLength: bytes that the CPU stores to at the end of a page.
  ///   - patience: nanoseconds that any wait for the kernel may take.
  init(
    _ one: Case, _ target: any Target, depth: Int, length: Int, touchLength: Int, shape: Shape = Shape(),
    pattern: Pattern, patience: Nanoseconds,
    makeEngine: @escaping @Sendable (Int) throws(KernelError) -> any Engine
  ) throws {
    scenario = one.scenario
    schedule = one.schedule
    self.target = target
    self.patience = patience
    buffer = try Buffer(
      one.memory, one.scenario, depth: depth, pieceLength: length, alignment: target.alignment,
      touchLength: touchLength, shape: shape, pattern: pattern)
    var hazards: [any Hazard] = []
    for make in one.scenario.makeHazards { hazards.append(try make(depth)) }
    self.hazards = hazards
    judge = try Judge(buffer, target, one.scenario, hazards, one.name)
    registers = one.engine.traits.contains(.registers)
    io = try IOThread(one.engine, depth: depth * shape.parts, makeEngine: makeEngine) {
      () throws(KernelError) in try target.openOnIOThread()
    }
  }

  /// Ends the I/O thread. The buffer stays for good where an I/O does.
  func close() {
    if isClosed { return }
    isClosed = true
    io.stop()
    // The next case's direct I/O must not find what this one left in the cache.
    if scenario.caching != .none { target.dropCache() }
    buffer.memory.leave()
    if !io.isIdle { buffer.leak() }
  }

  /// Gives a trial its memory: filled, made ready for the hazards, brought into the state that its kind
  /// promises, and proved to be in it.
  func setUp(_ number: Int) throws -> Buffer.Setup {
    if scenario.caching != .none { target.dropCache() }
    var setup = try buffer.setUp(
      number, target: target, schedule: schedule, timeline: timeline, patience: patience)
    for hazard in hazards { try hazard.prepare(setup.pages) }
    setup.proved = try buffer.reachState(setup)
    timeline.restart()
    return setup
  }

  /// Makes the buffer known to the kernel, for engines that register it.
  func attach() throws {
    if registers { try io.attach(buffer.region, patience: patience) }
  }

  func detach() {
    if registers { io.detach(patience: patience) }
  }
}
