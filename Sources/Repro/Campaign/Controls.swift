/// The two controls with which every lane begins: user space replaces the page, which must be seen as a
/// loss; and nobody does anything, which must not.
struct Controls {
  /// What keeps a lane's cases from running.
  struct Obstacle: Sendable, Equatable {
    var verdict: Verdict
    var reason: String
  }

  let runner: CaseRunner
  /// Whether the run was told to stop.
  let isStopped: () -> Bool

  private static let stagedTrials = 3
  /// A racing control needs an overlap first; a quiet one some trials.
  private static let racing = CaseLimits(trials: 2000, seconds: 10)
  private static let quietRace = CaseLimits(trials: 20, seconds: 10)

  /// Runs both.
  /// - Returns: what they showed, and what follows for the lane's cases; nil when they may run.
  func run(_ lane: Lane) -> (result: ControlResult, obstacle: Obstacle?) {
    var result = ControlResult(lane)
    do {
      try positive(lane, &result)
      if result.reason == nil { try negative(lane, &result) }
    } catch TargetError.missing(let reason) {
      result.reason = reason
      return (result, Obstacle(verdict: .skipped, reason: reason))
    } catch let miss as Missed {
      result.reason = miss.reason
      return (result, Obstacle(verdict: .skipped, reason: result.reason ?? ""))
    } catch {
      result.reason = "\(error)"
      return (result, Obstacle(verdict: .error, reason: "the controls failed: \(error)"))
    }
    result.isSound = result.reason == nil
    return (result, result.reason.map { Obstacle(verdict: .error, reason: $0) })
  }

  private func positive(_ lane: Lane, _ result: inout ControlResult) throws {
    let isStaged = lane.schedule == .staged
    let limits = isStaged ? CaseLimits(trials: Self.stagedTrials, seconds: 30) : Self.racing
    var fired = 0
    let count = try runner.run(lane.with(.control), limits) { record, _ in
      // What it must show is a lost read; other damage proves nothing about seeing those.
      let isSeen = record.damage.contains { $0.kind == .lostRead && $0.region == .io }
      // A staged one loses every page, every time.
      fired += isSeen && (!isStaged || record.lost.count == record.depth) ? 1 : 0
      return !isStopped() && !(isSeen && !isStaged)
    }
    try requireState(count)
    // A trial without a huge page, or the like, is not one of the control.
    result.trials = count.trials - count.missed
    result.fired = fired
    if isStaged ? fired < result.trials || fired == 0 : fired == 0 {
      result.reason =
        "the positive control fired in \(fired) of \(result.trials) trials: this run can't see losses, "
        + "nothing is known"
    }
  }

  private func negative(_ lane: Lane, _ result: inout ControlResult) throws {
    let limits =
      lane.schedule == .staged ? CaseLimits(trials: Self.stagedTrials, seconds: 30) : Self.quietRace
    let count = try runner.run(lane.with(.quiet), limits) { _, _ in !isStopped() }
    try requireState(count)
    result.quietTrials = count.trials - count.missed
    result.quietLosses = count.lostTrials
    if count.lostTrials > 0 {
      result.reason =
        "the negative control lost data in \(count.lostTrials) of \(count.trials) trials: the I/O path itself "
        + "is wrong, nothing is known of the hazards"
    }
  }

  private func requireState(_ count: CaseCount) throws {
    if count.trials > 0, count.missed == count.trials {
      throw Missed(reason: count.evidence ?? "the state was never reached")
    }
  }

  /// No trial was the one that its case describes.
  private struct Missed: Error { var reason: String }
}
