import CKernel
import Glibc

/// One hazard of the free schedule, on a thread of its own, over and over: on a page that is under I/O, then
/// its own store to it, then a note in the page's log. What was refused is tried again when the I/O is over.
final class FreeAgent: Sendable {
  private let name: String
  private let pages: [FreePage]
  /// For a hazard that concerns the whole process, one with all pages; else one a page.
  private let hazards: [any Hazard]
  private let all: PagesUnderIO
  /// Which word of each page is this agent's.
  private let word: Int
  private let seed: UInt64
  private let stops: Gate

  /// Microseconds between two looks for something to do.
  private static let idle: UInt32 = 200

  /// - Parameters:
  ///   - all: all of `pages`, as one.
  ///   - stops: ends ``run()`` when it is advanced.
  init(
    _ agent: Scenario.Agent, pages: [FreePage], all: PagesUnderIO, word: Int, seed: UInt64, stops: Gate
  ) throws(KernelError) {
    name = agent.name
    self.pages = pages
    self.all = all
    self.word = word
    self.seed = seed
    self.stops = stops
    let first = try agent.make(pages.count)
    var hazards = [first]
    if !first.concernsProcess {
      hazards = []
      for _ in pages { hazards.append(try agent.make(1)) }
    }
    self.hazards = hazards
  }

  private var concernsProcess: Bool { hazards[0].concernsProcess }

  /// Makes ready for a read of page number `index`, which holds its fill.
  func prepare(_ index: Int) throws(KernelError) {
    if !concernsProcess, suits(pages[index]) { try hazards[index].prepare(pages[index].pages) }
  }

  /// Acts until it is told to stop.
  func run() throws(KernelError) {
    var generator = SplitMix64(seed: seed, case: name, trial: word)
    while stops.value == 0 {
      if concernsProcess ? try actOnAll() : try actOnOne(&generator) { continue }
      usleep(Self.idle)
    }
  }

  /// Pages whose stores the hazard bears.
  private func suits(_ page: FreePage) -> Bool {
    switch page.stores {
    case .always: hazards[0].toleratesStores
    case .byAgents: !hazards[0].needsTwins
    case .never: true
    }
  }

  // MARK: One page

  private func actOnOne(_ generator: inout SplitMix64) throws(KernelError) -> Bool {
    for (index, page) in pages.enumerated() where suits(page) && page.owesRetry(name) {
      if page.enter(settled: true) {
        defer { page.leave() }
        try retry(index)
        return true
      }
    }
    let mine = pages.indices.filter { suits(pages[$0]) }
    let busy = mine.filter { pages[$0].isInFlight }
    if let index = busy.randomElement(using: &generator), pages[index].enter(settled: false) {
      defer { pages[index].leave() }
      try act(index)
      return true
    }
    // What is done to a page whose data has come must not lose it either.
    if !hazards[0].needsTwins,
      let index = mine.filter({ pages[$0].isSettled }).randomElement(using: &generator),
      pages[index].enter(settled: true)
    {
      defer { pages[index].leave() }
      try act(index)
      return true
    }
    return false
  }

  private func act(_ index: Int) throws(KernelError) {
    let (page, hazard) = (pages[index], hazards[index])
    let start = Clock.now
    var seen = Observation()
    seen.arrival = try page.pages.entries()[0]
    let outcome = try hazard.act(page.pages).of(0) ?? .noEffect("it said nothing of the page")
    seen.hazarded = try page.pages.entries()[0]
    touch(page, &seen)
    seen.touched = try page.pages.entries()[0]
    let end = Clock.now
    page.add(try hazard.settle(page.pages))
    page.log(event(outcome, seen, hazard, 0, start, end))
  }

  private func retry(_ index: Int) throws(KernelError) {
    let (page, hazard) = (pages[index], hazards[index])
    let start = Clock.now
    let outcome = try hazard.actWithoutIO(page.pages).of(0) ?? .noEffect("it said nothing of the page")
    page.logRetry(
      PageEvent(agent: name, start: start, end: Clock.now, outcome: outcome, asked: nil, frame: nil))
  }

  // MARK: The whole process

  private func actOnAll() throws(KernelError) -> Bool {
    guard pages.contains(where: \.isInFlight) else { return false }
    let hazard = hazards[0]
    all.timeline.restart()
    let start = Clock.now
    let before = try all.entries()
    let outcomes = try hazard.act(all)
    let after = try all.entries()
    var seen = zip(before, after).map { Observation(arrival: $0, hazarded: $1) }
    for (index, page) in pages.enumerated() where page.isInFlight {
      touch(page, &seen[index])
    }
    for (index, entry) in try all.entries().enumerated() { seen[index].touched = entry }
    let end = Clock.now
    _ = try hazard.settle(all)
    for (index, page) in pages.enumerated() {
      guard let outcome = outcomes.of(index) else { continue }
      page.log(event(outcome, seen[index], hazard, index, start, end))
    }
    return true
  }

  private func touch(_ page: FreePage, _ seen: inout Observation) {
    let faults = ck_thread_faults()
    page.store(word: word)
    seen.faults = ck_thread_faults() - faults
  }

  /// What the page shows of itself. Another agent may have moved it meanwhile: then what it shows is not
  /// this hazard's, and no guard was seen.
  private func event(
    _ outcome: HazardOutcome, _ seen: Observation, _ hazard: any Hazard, _ number: Int, _ start: Nanoseconds,
    _ end: Nanoseconds
  ) -> PageEvent {
    let isOurs = !concernsProcess || seen.arrival?.frame == seen.hazarded?.frame
    var asked: Guard?
    switch outcome.kind {
    case .applied: asked = isOurs ? hazard.asked(seen, number) : nil
    case .refused: asked = hazard.refusal
    case .noEffect: break
    }
    return PageEvent(
      agent: name, start: start, end: end, outcome: outcome, asked: asked, frame: seen.arrival?.frame)
  }
}
