/// Finds the shortest I/O in which the hazard has room.
enum RaceCalibration {
  private static let samples = 5
  /// The I/O should last this many hazards, so that a drawn offset often puts one wholly inside.
  private static let room: Nanoseconds = 3

  /// Tries benches for pieces of growing length, which `makeBench` makes, and keeps the first whose I/O is
  /// long enough, or the longest.
  /// - Parameter longest: bytes of a piece.
  static func bench(
    longest: Int, _ makeBench: (_ length: Int) throws -> RaceBench
  ) throws -> (RaceBench, RaceWindow) {
    var length = kernelPageSize
    while true {
      let bench = try makeBench(length)
      do {
        let window = try measure(bench)
        if length >= longest || window.io >= room * window.hazard { return (bench, window) }
      } catch {
        bench.close()
        throw error
      }
      bench.close()
      length = min(longest, length * 4)
    }
  }

  /// Medians, each of the two alone.
  private static func measure(_ bench: RaceBench) throws -> RaceWindow {
    var io: [Nanoseconds] = []
    var hazards: [Nanoseconds] = []
    for sample in 0..<samples {
      let setup = try bench.setUp(sample)
      for hazard in bench.hazards { try hazard.prepare(setup.pages) }
      let start = Clock.now
      for hazard in bench.hazards { _ = try hazard.act(setup.pages) }
      hazards.append(Clock.now - start)
      for hazard in bench.hazards.reversed() { _ = try hazard.settle(setup.pages) }
      if bench.registers { try bench.io.attach(bench.buffer.region, patience: bench.patience) }
      bench.io.start(setup.transfer, bench.timeline)
      guard let completion = bench.io.finish(timeout: bench.patience) else { throw TrialError.hung }
      try completion.requireAll(of: setup.transfer)
      if bench.registers { bench.io.detach(patience: bench.patience) }
      io.append(completion.ended - completion.started)
    }
    func median(_ values: [Nanoseconds]) -> Nanoseconds { values.sorted()[values.count / 2] }
    return RaceWindow(io: median(io), hazard: median(hazards))
  }
}

/// What all trials of a racing case share: buffer, hazards, and the thread that does the I/O.
final class RaceBench {
  let buffer: Buffer
  let target: any Target
  let hazards: [any Hazard]
  let io: IOThread
  let judge: Judge
  let registers: Bool
  let patience: Nanoseconds
  let timeline = Timeline()

  /// Bytes at the end of a page that are stored to: one word by who acts, one by the store thread.
  static let touchLength = 16

  /// - Parameters:
  ///   - length: bytes of a piece, whole pages.
  ///   - patience: nanoseconds that any wait for the kernel may take.
  init(
    _ one: Case, _ target: any Target, depth: Int, length: Int, pattern: Pattern, patience: Nanoseconds,
    makeEngine: @escaping @Sendable (Int) throws(KernelError) -> any Engine
  ) throws {
    self.target = target
    self.patience = patience
    buffer = try Buffer(
      one.memory, one.scenario, depth: depth, pieceLength: length, alignment: target.alignment,
      touchLength: Self.touchLength, pattern: pattern)
    var hazards: [any Hazard] = []
    for make in one.scenario.makeHazards { hazards.append(try make(depth)) }
    self.hazards = hazards
    judge = try Judge(buffer, target, one.scenario, one.name)
    registers = one.engine.traits.contains(.registers)
    io = try IOThread(one.engine, depth: depth, makeEngine: makeEngine) {
      () throws(KernelError) in try target.openOnIOThread()
    }
  }

  func close() {
    io.stop()
    if !io.isIdle { buffer.leak() }
  }

  func setUp(_ number: Int) throws -> Buffer.Setup {
    try buffer.setUp(number, target: target, schedule: .race, timeline: timeline, patience: patience)
  }
}
