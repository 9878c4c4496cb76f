extension Judge {
  /// The record of pages that are left when nobody has them any more, after `trials` trials.
  /// - Parameters:
  ///   - found: what shows them.
  ///   - outcome: what was given back.
  func leak(_ pages: Int, after trials: Int, _ found: String, _ outcome: String) -> TrialRecord {
    TrialRecord(
      case: caseName, trial: trials, inFlight: 1, lost: [0], hazards: [.applied(outcome)],
      damage: [
        Damage(
          kind: .pagesLeaked, region: .untouched, look: .late, offset: 0, length: pages * kernelPageSize,
          expected: "", found: "", provenance: found)
      ], isExplained: scenario.losses.contains(.pagesLeaked), offset: 0, length: 0, timeline: [])
  }
}

extension Bench {
  /// Gives the memory back once all trials are over: of the frames that hazards name, none may be held.
  /// - Parameter trials: how many there were.
  /// - Returns: the record of a leak, if there is one.
  func end(after trials: Int) throws -> TrialRecord? {
    let frames = hazards.reduce(into: Set<UInt64>()) { $0.formUnion($1.framesHad) }
    guard !frames.isEmpty, io.isIdle else { return nil }
    try buffer.memory.renew()
    let held = try HeldFrames.among(frames)
    if held.isEmpty { return nil }
    let shown = held.prefix(4).map { Hex.number($0) }.joined(separator: ", ")
    return judge.leak(
      held.count, after: trials,
      "\(held.count) of \(frames.count) frames are held by nobody who maps them, after \(trials) trials: \(shown)",
      "all processes that had the pages are gone, and the memory was given back")
  }
}
