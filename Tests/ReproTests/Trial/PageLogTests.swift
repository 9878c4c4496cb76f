import Testing

@testable import Repro

/// What the log of a page says a read was exposed to: planted events, whose times are known.
@Suite("Page log")
struct PageLogTests {
  private static let asked = Guard("planted", "as planted")
  private let window = PageLog.Window(started: 100, submitted: nil, ended: 200)

  private func log(_ events: [(Nanoseconds, Nanoseconds, HazardOutcome)], asked: Guard? = asked) -> PageLog {
    var log = PageLog()
    for (start, end, outcome) in events {
      log.add(
        PageEvent(agent: "a", start: start, end: end, outcome: outcome, asked: asked, frame: nil))
    }
    return log
  }

  @Test("what began and ended within the I/O is in flight")
  func within() {
    let seen = log([(110, 190, .applied("done"))]).asked(during: window)
    #expect(seen.inFlight == [Self.asked] && seen.entering.isEmpty)
  }

  @Test(
    "what began before the I/O, or ended after it, is not",
    arguments: [(50, 90), (50, 150), (150, 250), (210, 220)] as [(Nanoseconds, Nanoseconds)])
  func outside(_ times: (Nanoseconds, Nanoseconds)) {
    #expect(log([(times.0, times.1, .applied("done"))]).asked(during: window).inFlight.isEmpty)
  }

  @Test("under which the I/O was issued is entering, and counted apart")
  func entering() {
    let seen = log([(50, 150, .applied("done"))]).asked(during: window)
    #expect(seen.inFlight.isEmpty && seen.entering == [Self.asked])
  }

  @Test("engines that tell when they have submitted count from then on")
  func submitted() {
    let late = PageLog.Window(started: 100, submitted: 120, ended: 200)
    #expect(log([(110, 190, .applied("done"))]).asked(during: late).inFlight.isEmpty)
    #expect(log([(130, 190, .applied("done"))]).asked(during: late).inFlight == [Self.asked])
  }

  @Test("an agent that did nothing exposes nothing")
  func nothing() {
    #expect(log([(110, 190, .noEffect("nothing"))]).asked(during: window).inFlight.isEmpty)
    #expect(log([(110, 190, .applied("done"))], asked: nil).asked(during: window).inFlight.isEmpty)
  }

  @Test("a refusal counts only if the same works once the I/O is over")
  func refused() {
    let refusal: (Nanoseconds, Nanoseconds, HazardOutcome) = (110, 120, .refused("EAGAIN"))
    #expect(log([refusal]).asked(during: window).inFlight.isEmpty)
    #expect(
      log([refusal, (150, 160, .applied("done"))], asked: Self.asked).asked(during: window).inFlight
        == [Self.asked], "by the second event")
    var log = log([refusal])
    log.add(
      PageEvent(agent: "b", start: 210, end: 220, outcome: .applied("done"), asked: nil, frame: nil))
    #expect(log.asked(during: window).inFlight.isEmpty, "another agent's success proves nothing")
    log.add(
      PageEvent(agent: "a", start: 210, end: 220, outcome: .applied("done"), asked: nil, frame: nil))
    #expect(log.asked(during: window).inFlight == [Self.asked])
  }

  @Test("a loss names what each agent did last before the I/O was over, and no later")
  func last() {
    var log = PageLog()
    for (agent, start) in [("a", 110), ("b", 120), ("a", 130), ("a", 210)] as [(String, Nanoseconds)] {
      log.add(
        PageEvent(
          agent: agent, start: start, end: start + 5, outcome: .applied("\(start)"), asked: nil, frame: nil))
    }
    #expect(log.last(before: window).map(\.outcome.evidence) == ["120", "130"])
  }

  @Test("a long log forgets its beginning, and nothing of its end")
  func long() {
    var log = PageLog()
    for time in 0..<5000 as Range<Nanoseconds> {
      log.add(
        PageEvent(agent: "a", start: time, end: time, outcome: .applied("\(time)"), asked: nil, frame: nil))
    }
    #expect(log.events.count <= 512 && log.events.last?.start == 4999)
  }
}
