/// When each agent of a race acted, and what that makes of the trial.
struct RaceTimes: Sendable {
  /// The I/O's thread was about to issue it.
  var started: Nanoseconds
  /// Issuing had returned, all pages taken; nil for engines that can't tell.
  var submitted: Nanoseconds?
  /// The I/O was back.
  var ended: Nanoseconds
  var hazardStart: Nanoseconds
  var hazardEnd: Nanoseconds
  /// The store after the hazard was done; as ``hazardEnd`` without one.
  var touchEnd: Nanoseconds

  /// Hazard and toucher were done while the I/O was in flight. For engines that tell when they have
  /// submitted, that is when the window opens; a pread's call includes time before its pages are taken and
  /// after they are let go, so that its count is an upper estimate.
  var isInFlight: Bool { (submitted ?? started) <= hazardStart && touchEnd <= ended }

  /// The hazard began while the I/O was in flight, whenever it ended.
  var hasBegunInFlight: Bool { (submitted ?? started) <= hazardStart && hazardStart < ended }

  /// The hazard was under way when the I/O was issued, or began while it was in flight.
  var meets: Bool { started < hazardEnd && hazardStart < ended }

  /// The I/O was issued while the hazard acted, so that its pages were taken while the hazard's checks were
  /// under way; the toucher came before its end.
  var isEntering: Bool {
    hazardStart < started && (submitted ?? started) < hazardEnd && touchEnd <= ended
  }

  /// Where the hazard lay, by the same window as ``isInFlight``.
  var overlap: Overlap {
    let opened = submitted ?? started
    if isInFlight { return .inside }
    if touchEnd <= opened { return .before }
    if hazardStart >= ended { return .after }
    if hazardStart >= opened { return .acrossEnd }
    return touchEnd <= ended ? .acrossStart : .around
  }
}

/// Where a race's hazard, with the store that follows it, lay against its I/O: what steering made of the
/// offsets, seen in time stamps.
/// ```
///                |<-------- I/O -------->|
///  before
///   <------>   across the start
///             <------>     inside     across the end
///                          <------>         <------>   after
///                                                      <------>
/// ```
public enum Overlap: String, Sendable, Codable, CaseIterable {
  /// Over before the I/O's window opened.
  case before
  /// Begun before it opened, and over while it was open.
  case acrossStart = "across the start"
  /// Begun and over while it was open: only these may be exposures in flight.
  case inside
  /// Begun while it was open, and over too late.
  case acrossEnd = "across the end"
  /// Begun when it had closed.
  case after
  /// Longer than the I/O at both ends.
  case around
}
