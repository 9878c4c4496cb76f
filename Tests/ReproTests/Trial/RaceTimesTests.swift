import Testing

@testable import Repro

/// The race's exposure rule on synthetic windows of known place: what must count does, and nothing else.
@Suite("Exposure in a race")
struct RaceTimesTests {
  /// An I/O from 100 to 200, submitted at 120 by engines that tell.
  private func times(
    hazard: ClosedRange<Nanoseconds>, touch: Nanoseconds? = nil, submitted: Nanoseconds? = nil
  ) -> RaceTimes {
    RaceTimes(
      started: 100, submitted: submitted, ended: 200, hazardStart: hazard.lowerBound,
      hazardEnd: hazard.upperBound, touchEnd: touch ?? hazard.upperBound)
  }

  @Test(
    "inside the I/O is in flight", arguments: [100...200, 101...199, 150...150] as [ClosedRange<Nanoseconds>])
  func inside(hazard: ClosedRange<Nanoseconds>) {
    #expect(times(hazard: hazard).isInFlight && !times(hazard: hazard).isEntering)
  }

  @Test(
    "before, after, across an end or around it is not",
    arguments: [0...90, 210...220, 150...201, 99...150, 50...250] as [ClosedRange<Nanoseconds>])
  func outside(hazard: ClosedRange<Nanoseconds>) { #expect(!times(hazard: hazard).isInFlight) }

  @Test(
    "one that may outlast the I/O must only begin in it",
    arguments: [
      (100...200, true), (150...250, true), (199...500, true), (99...150, false), (200...210, false),
    ] as [(ClosedRange<Nanoseconds>, Bool)])
  func begun(hazard: ClosedRange<Nanoseconds>, hasBegun: Bool) {
    #expect(times(hazard: hazard).hasBegunInFlight == hasBegun)
    #expect(!times(hazard: 110...250, submitted: 120).hasBegunInFlight)
  }

  @Test(
    "one that concerns what the I/O does to get its pages must meet it, whichever began first",
    arguments: [
      (90...101, true), (99...150, true), (50...250, true), (100...200, true), (199...250, true),
      (50...100, false), (50...99, false), (200...210, false),
    ] as [(ClosedRange<Nanoseconds>, Bool)])
  func met(hazard: ClosedRange<Nanoseconds>, meets: Bool) {
    #expect(times(hazard: hazard).meets == meets)
  }

  @Test("a store that comes too late makes no exposure: nothing was asked in time")
  func lateTouch() {
    #expect(times(hazard: 110...150, touch: 199).isInFlight)
    #expect(!times(hazard: 110...150, touch: 201).isInFlight)
    #expect(!times(hazard: 90...150, touch: 201).isEntering)
  }

  @Test("an engine that tells when it has submitted opens the window there, not earlier")
  func submission() {
    #expect(!times(hazard: 110...150, submitted: 120).isInFlight)
    #expect(times(hazard: 120...150, submitted: 120).isInFlight)
  }

  @Test(
    "an I/O issued while the hazard acts is entering, and a class of its own",
    arguments: [(90...110, true), (99...150, true), (100...150, false), (50...99, false), (90...210, false)]
      as [(ClosedRange<Nanoseconds>, Bool)])
  func entering(hazard: ClosedRange<Nanoseconds>, isEntering: Bool) {
    #expect(times(hazard: hazard).isEntering == isEntering)
    #expect(!(times(hazard: hazard).isEntering && times(hazard: hazard).isInFlight))
  }

  @Test("a submission that ended after the hazard did not enter under it")
  func lateSubmission() {
    #expect(times(hazard: 90...130, submitted: 120).isEntering)
    #expect(!times(hazard: 90...110, submitted: 120).isEntering)
  }

  /// Windows of every place, as LTP's tst_fuzzy_sync01 has them: the two classes never overlap, and what is
  /// in neither touches an end of the I/O or lies outside.
  @Test("the classes are disjoint over all places")
  func disjoint() {
    for start in stride(from: Nanoseconds(0), through: 300, by: 7) {
      for length in stride(from: Nanoseconds(0), through: 300, by: 7) {
        let times = times(hazard: start...start + length)
        #expect(!(times.isInFlight && times.isEntering))
        #expect(times.isInFlight == (start >= 100 && start + length <= 200))
      }
    }
  }

  @Test(
    "each overlap by its place",
    arguments: [
      (0...90, .before), (0...100, .before), (90...150, .acrossStart), (90...200, .acrossStart),
      (100...200, .inside),
      (150...201, .acrossEnd), (199...300, .acrossEnd), (200...300, .after), (250...300, .after),
      (90...201, .around),
    ] as [(ClosedRange<Nanoseconds>, Overlap)])
  func overlap(hazard: ClosedRange<Nanoseconds>, overlap: Overlap) {
    #expect(times(hazard: hazard).overlap == overlap)
  }

  @Test(
    "inside is what is in flight, for engines that tell as well", arguments: [nil, 130] as [Nanoseconds?])
  func insideIsInFlight(submitted: Nanoseconds?) {
    for start in stride(from: Nanoseconds(0), through: 300, by: 7) {
      for length in stride(from: Nanoseconds(0), through: 300, by: 7) {
        let times = times(hazard: start...start + length, submitted: submitted)
        #expect(times.isInFlight == (times.overlap == .inside))
      }
    }
  }
}
