import CKernel

/// A point of CLOCK_MONOTONIC, in nanoseconds.
public typealias Nanoseconds = Int64

/// The clock of timelines, deadlines and overlaps.
enum Clock {
  static var now: Nanoseconds { ck_now() }

  static func seconds(_ seconds: Double) -> Nanoseconds { Nanoseconds(seconds * 1e9) }
  static func milliseconds(_ milliseconds: Int) -> Nanoseconds { Nanoseconds(milliseconds) * 1_000_000 }

  /// Keeps the CPU until `deadline`: a start offset of microseconds is shorter than a sleep.
  static func spin(until deadline: Nanoseconds) {
    while true {
      let left = deadline - ck_now()
      if left <= 0 { return }
      // Where reading the clock is a device's work, as in an emulator, who reads it all the time is in the way.
      ck_relax(left > 20_000 ? 1000 : 1)
    }
  }
}
