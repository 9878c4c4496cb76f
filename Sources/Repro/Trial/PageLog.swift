/// What one agent did to one page, and when.
struct PageEvent: Sendable {
  /// Who: the hazard's name.
  let agent: String
  let start: Nanoseconds
  /// The hazard, and the agent's own store after it, were done.
  let end: Nanoseconds
  let outcome: HazardOutcome
  /// The guard that the page's state showed to have been asked; of a refusal, the one that it shows if the
  /// same works later. Nil when nothing was asked.
  let asked: Guard?
  /// The frame behind the address before the hazard; nil when hidden or absent.
  let frame: UInt64?
}

/// What happened to one page since it was filled, by time: the free schedule's evidence. Agents that wait for
/// nobody act whenever they do, so that only the log tells what an I/O was exposed to.
struct PageLog: Sendable {
  private(set) var events: [PageEvent] = []

  /// Of a page that is looked at for long, what came last is what matters.
  private static let kept = 512

  mutating func add(_ event: PageEvent) {
    if events.count >= Self.kept { events.removeFirst(Self.kept / 4) }
    events.append(event)
  }

  /// When the page's I/O was under way.
  struct Window: Sendable {
    var started: Nanoseconds
    /// Nil for engines that can't tell when they have submitted.
    var submitted: Nanoseconds?
    var ended: Nanoseconds
  }

  /// The guards that were asked while the I/O was in flight, or while it was issued under the hazard. An
  /// agent that did nothing, or whose refused hazard never worked without I/O either, asked nothing.
  func asked(during window: Window) -> (inFlight: Set<Guard>, entering: Set<Guard>) {
    var inFlight: Set<Guard> = []
    var entering: Set<Guard> = []
    for event in events {
      guard let asked = event.asked, counts(event, window) else { continue }
      let times = RaceTimes(
        started: window.started, submitted: window.submitted, ended: window.ended, hazardStart: event.start,
        hazardEnd: event.end, touchEnd: event.end)
      if times.isInFlight { inFlight.insert(asked) }
      if times.isEntering { entering.insert(asked) }
    }
    return (inFlight, entering)
  }

  private func counts(_ event: PageEvent, _ window: Window) -> Bool {
    switch event.outcome.kind {
    case .applied: true
    case .noEffect: false
    case .refused:
      events.contains { $0.agent == event.agent && $0.outcome.isApplied && $0.start >= window.ended }
    }
  }

  /// Of each agent what it did last before the I/O was over, in the order of time.
  func last(before window: Window) -> [PageEvent] {
    var seen: Set<String> = []
    return events.filter { $0.start < window.ended }.sorted { $0.end > $1.end }
      .filter { $0.outcome.kind != .noEffect && seen.insert($0.agent).inserted }.reversed()
  }
}
