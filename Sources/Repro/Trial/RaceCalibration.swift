/// Finds the shortest I/O in which the hazard has room.
enum RaceCalibration {
  private static let samples = 5
  /// The I/O should last this many hazards, so that a drawn offset often puts one wholly inside.
  private static let room: Nanoseconds = 3

  /// Tries benches for pieces of growing length, which `makeBench` makes, and keeps the first whose I/O is
  /// long enough, or the longest.
  /// - Parameter longest: bytes of a piece.
  static func bench(
    longest: Int, _ makeBench: (_ length: Int) throws -> Bench
  ) throws -> (Bench, RaceWindow) {
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
  private static func measure(_ bench: Bench) throws -> RaceWindow {
    var io: [Nanoseconds] = []
    var hazards: [Nanoseconds] = []
    for sample in 0..<samples {
      let setup = try bench.setUp(sample)
      for hazard in bench.hazards { try hazard.prepare(setup.pages) }
      let start = Clock.now
      for hazard in bench.hazards { _ = try hazard.act(setup.pages) }
      hazards.append(Clock.now - start)
      for hazard in bench.hazards.reversed() { _ = try hazard.settle(setup.pages) }
      try bench.attach()
      bench.io.start(setup.transfer, bench.timeline)
      guard let completion = bench.io.finish(timeout: bench.patience) else { throw TrialError.hung }
      try completion.requireAll(of: setup.transfer)
      bench.detach()
      io.append(completion.ended - completion.started)
    }
    func median(_ values: [Nanoseconds]) -> Nanoseconds { values.sorted()[values.count / 2] }
    return RaceWindow(io: median(io), hazard: median(hazards))
  }
}
