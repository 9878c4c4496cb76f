/// Finds the shortest I/O in which the hazard has room.
enum RaceCalibration {
  /// The longest I/O of a race, in bytes.
  static let longest = 1 << 20

  private static let samples = 5
  /// The I/O should last this many hazards, so that a drawn offset often puts one wholly inside.
  private static let room: Nanoseconds = 3

  /// Tries buffers of growing length on benches that `makeBench` makes, and keeps the first whose
  /// I/O is long enough, or the longest.
  static func bench(
    hazard: any Hazard, _ makeBench: (_ length: Int) throws -> Bench
  ) throws -> (Bench, RaceWindow) {
    var length = kernelPageSize
    while true {
      let bench = try makeBench(length)
      do {
        let window = try measure(bench, hazard)
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
  private static func measure(_ bench: Bench, _ hazard: any Hazard) throws -> RaceWindow {
    var io: [Nanoseconds] = []
    var hazards: [Nanoseconds] = []
    for sample in 0..<samples {
      let setup = try bench.setUp(sample)
      try hazard.prepare(setup.page)
      let start = Clock.now
      _ = try hazard.act(setup.page)
      hazards.append(Clock.now - start)
      _ = try hazard.settle(setup.page)
      bench.io.start(setup.transfer, bench.timeline)
      guard let completion = bench.io.finish(timeout: bench.patience) else { throw TrialError.hung }
      try completion.requireAll(of: setup.transfer)
      io.append(completion.ended - completion.started)
    }
    func median(_ values: [Nanoseconds]) -> Nanoseconds { values.sorted()[values.count / 2] }
    return RaceWindow(io: median(io), hazard: median(hazards))
  }
}
