import Synchronization
import TestHost
import Testing

@testable import Repro
@testable import ReproLab

/// Guests of several kernels: what races has guests of its own.
@Suite("Guests of several kernels")
struct GuestPoolTests {
  private static let staged = FakeOutcome.name("fork")
  private static let race = FakeOutcome.name("fork", .race)

  private static func boot(_ results: [CaseResult], console: String = "finished-6.12") throws
    -> FakeGuest.Boot
  {
    let verdict = ExitCodes.default.overall(results.map(\.verdict))
    let events: [Event] =
      [.run(FakeOutcome.start("6.12.117", results.map(\.case)))] + results.map { .result($0) }
      + [.end(RunEnd(verdict: verdict, seconds: 1))]
    return FakeGuest.Boot(
      console: try FakeGuest.console(console),
      lines: events.map { JSONText.line($0) }
        + (console == "finished-6.12" ? [#"{"event":"exit","status":0}"#] : []))
  }

  private static func plan(_ cases: [CaseName]) -> Plan {
    var selection = Selection()
    selection.cases = cases
    return Plan(selection, seed: Seed(1))
  }

  private func run(
    _ guests: [FakeGuest], _ plan: Plan, jobs: Int = 2
  ) async -> (outcomes: [Int: GuestPool.Outcome], events: [[Event]]) {
    let events = Mutex(Array(repeating: [Event](), count: guests.count))
    let pool = GuestPool(jobs: jobs, onEvent: { index, event in events.withLock { $0[index].append(event) } })
    {
      try guests[$0].session(plan)
    }
    let outcomes = await pool.run(guests.indices.map { "k\($0)" }) { _, _ in }
    return (outcomes, events.withLock { $0 })
  }

  @Test("staged and raced cases of a kernel have a guest each, and are one run in its report")
  func apart() async throws {
    let guests = try (0..<2).map { _ in
      try FakeGuest([
        try Self.boot([FakeOutcome.result("fork", .clean)]),
        try Self.boot([FakeOutcome.result("fork", .corrupt, .race)]),
      ])
    }
    let (outcomes, events) = await run(guests, Self.plan([Self.race, Self.staged]))
    for index in 0..<2 {
      #expect(guests[index].boots == 2)
      let outcome = try #require(try outcomes[index]?.get())
      #expect(
        outcome.start?.cases == [Self.race, Self.staged]
          && outcome.results.map(\.case) == [Self.staged, Self.race])
      #expect(outcome.end.verdict == .corrupt && outcome.guest.ending == .finished(status: 0))
      let starts = events[index].compactMap { if case .run(let start) = $0 { start } else { nil } }
      #expect(starts.map(\.cases) == [[Self.race, Self.staged]])
      #expect(starts.first?.plan.selection.cases == [Self.race, Self.staged])
      let ends = events[index].compactMap { if case .end(let end) = $0 { end } else { nil } }
      #expect(ends == [outcome.end])
      guard case .end? = events[index].last else { throw Wrong() }
    }
  }

  private struct Wrong: Error {}

  @Test("what needs two CPUs has a guest with two, which others need not wait for unless it races")
  func twoCPUs() async throws {
    let folder = try TemporaryFolder()
    let remote = FakeOutcome.name("fork-remote-store")
    let guests = try (0..<2).map { index in
      try FakeGuest(
        [
          try Self.boot([FakeOutcome.result("fork", .clean)]),
          try Self.boot([FakeOutcome.result("fork-remote-store", .clean)]),
        ], crossing: folder("crossing"), patience: 200)
    }
    let (outcomes, events) = await run(guests, Self.plan([Self.staged, remote]))
    for index in 0..<2 {
      #expect(try outcomes[index]?.get().end.verdict == .clean)
      let boots = guests[index].arguments.split(separator: "\n")
      #expect(boots.map { $0.contains("-smp 1,") } == [true, false])
      let starts = events[index].compactMap { if case .run(let start) = $0 { start } else { nil } }
      #expect(starts.map(\.processors) == [2])
    }
    #expect(folder.names == ["crossing-crowded"])
  }

  @Test("the first guest's death is the whole's, and the second still tells what it saw")
  func death() async throws {
    let guests = try (0..<2).map { index in
      var dead = try Self.boot([FakeOutcome.result("fork", .clean)], console: "panic-7.2")
      dead.lines = Array(dead.lines.prefix(2))
      let clean = try Self.boot([FakeOutcome.result("fork", .clean)])
      return try FakeGuest([
        index == 0 ? dead : clean, try Self.boot([FakeOutcome.result("fork", .clean, .race)]),
      ])
    }
    let (outcomes, _) = await run(guests, Self.plan([Self.staged, Self.race]))
    let outcome = try #require(try outcomes[0]?.get())
    #expect(outcome.end.verdict == .error && outcome.results.count == 2)
    if case .panic = outcome.guest.ending {} else { Issue.record("\(outcome.guest.ending)") }
    #expect(try outcomes[1]?.get().end.verdict == .clean)
  }

  @Test("guests that race run one at a time, others together", arguments: [race, staged])
  func races(name: CaseName) async throws {
    let folder = try TemporaryFolder()
    let guests = try (0..<2).map { _ in
      try FakeGuest(
        [try Self.boot([FakeOutcome.result("fork", .clean, name.schedule)])], crossing: folder("crossing"),
        patience: name == Self.staged ? 200 : 3)
    }
    let (outcomes, _) = await run(guests, Self.plan([name]))
    for index in 0..<2 { #expect(try outcomes[index]?.get().end.verdict == .clean) }
    #expect((folder.names == ["crossing-crowded"]) == (name == Self.staged))
  }

  @Test("a plan that one loss ends has one guest, whatever it has in it")
  func stopping() async throws {
    var plan = Self.plan([Self.staged, Self.race])
    plan.stopAfterLosses = 1
    let both = try Self.boot([FakeOutcome.result("fork", .clean), FakeOutcome.result("fork", .clean, .race)])
    let guests = [try FakeGuest([both]), try FakeGuest([both])]
    _ = await run(guests, plan)
    #expect(guests.map(\.boots) == [1, 1])
  }

  @Test("one guest does for cases of one kind, and where nothing else runs")
  func together() async throws {
    let both = try Self.boot([FakeOutcome.result("fork", .clean), FakeOutcome.result("fork", .clean, .race)])
    let alone = [try FakeGuest([both])]
    let (one, _) = await run(alone, Self.plan([Self.staged, Self.race]))
    #expect(alone[0].boots == 1)
    #expect(try one[0]?.get().end.verdict == .clean)
    let inTurn = [try FakeGuest([both]), try FakeGuest([both])]
    _ = await run(inTurn, Self.plan([Self.staged, Self.race]), jobs: 1)
    #expect(inTurn.map(\.boots) == [1, 1])
    let staged = try (0..<2).map { _ in try FakeGuest([try Self.boot([FakeOutcome.result("fork", .clean)])]) }
    _ = await run(staged, Self.plan([Self.staged]))
    #expect(staged.map(\.boots) == [1, 1])
  }
}
