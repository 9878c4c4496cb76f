/// One cell of a plan: a scenario with one engine under one schedule.
struct Cell: Sendable {
  let scenario: Scenario
  let engine: EngineKind
  let schedule: Schedule

  var name: String { "\(scenario.name).\(engine.rawValue).\(schedule.rawValue)" }
}

/// When a cell's trials end.
struct CellLimits: Sendable {
  var trials: Int
  var seconds: Double
  /// With fewer than `exposures` exposures and no loss, goes on until so many seconds; nil for never.
  var patientSeconds: Double?
  /// See `patientSeconds`.
  var exposures = 0
  /// Ends after so many losses; nil for never.
  var losses: Int?
}

extension CellLimits {
  /// The longest that a cell may take.
  var longest: Double { max(seconds, patientSeconds ?? 0) }

  func allowsMore(_ count: CellCount) -> Bool {
    if count.trials >= trials { return false }
    if let losses, count.losses >= losses { return false }
    if count.seconds < seconds { return true }
    return count.losses == 0 && count.exposures < exposures && count.seconds < patientSeconds ?? 0
  }
}

/// What a cell's trials came to.
struct CellCount: Sendable {
  var trials = 0
  var exposures = 0
  var losses = 0
  var seconds = 0.0
  var evidence: String?
}

/// Runs the trials of one cell: opens its bench, repeats, counts, and closes whatever happens.
struct CellRunner {
  let cell: Cell
  let seed: Seed
  let limits: CellLimits
  /// See ``Plan/trialNumbers``.
  let numbers: [Int]?
  let makeEngine: @Sendable (EngineKind) throws(KernelError) -> any Engine
  /// Called with each trial; ends the cell early by returning false.
  let afterTrial: (TrialRecord, CellCount) -> Bool

  /// How long any single wait for the kernel may take.
  static let patience = Clock.seconds(10)
  /// Bytes that the CPU stores to in a staged trial.
  static let stagedStore = 64
  private static let raceStore = 8

  /// Runs on the held target.
  /// - Throws: KernelError, TrialError; then nothing is known of the kernel.
  func runStaged(_ target: any HoldingTarget) throws -> CellCount {
    let bench = try bench(target, length: kernelPageSize, storeLength: Self.stagedStore)
    defer { bench.close() }
    let trial = StagedTrial(
      bench: bench, target: target, hazard: try cell.scenario.makeHazard(kernelPageSize))
    return try repeated { number in try trial.run(number) }
  }

  /// Runs on a free-running target.
  /// - Throws: KernelError, TrialError; then nothing is known of the kernel.
  func runRace(_ target: any Target) throws -> CellCount {
    let hazard = try cell.scenario.makeHazard(kernelPageSize)
    let (bench, window) = try RaceCalibration.bench(hazard: hazard) { length in
      try self.bench(target, length: length, storeLength: Self.raceStore)
    }
    defer { bench.close() }
    let storer = try StoreThread()
    defer { storer.stop() }
    var trial = RaceTrial(bench: bench, hazard: hazard, storer: storer, seed: seed.value, window: window)
    return try repeated { number in try trial.run(number) }
  }

  private func bench(_ target: any Target, length: Int, storeLength: Int) throws -> Bench {
    try Bench(
      cell: cell, pattern: Pattern(seed: seed.value), target: target, engine: try makeEngine(cell.engine),
      length: length, storeLength: storeLength, patience: Self.patience)
  }

  private func repeated(_ trial: (Int) throws -> TrialRecord) throws -> CellCount {
    var count = CellCount()
    let start = Clock.now
    while limits.allowsMore(count) {
      let record = try trial(numbers.map { $0[count.trials % $0.count] } ?? count.trials)
      count.trials += 1
      count.exposures += record.isExposure ? 1 : 0
      count.losses += record.isLoss ? 1 : 0
      count.evidence = record.hazard.text + (record.withoutIO.map { "; without I/O: \($0.text)" } ?? "")
      count.seconds = Double(Clock.now - start) / 1e9
      if !afterTrial(record, count) { break }
    }
    return count
  }
}
