import CKernel

/// A counter that one thread advances and another waits for, on a futex.
///
/// Cheaper than a condition variable (one system call to wake, none when nobody came first),
/// and it says which advance is waited for, so that a late wake-up of the trial before is
/// not taken for this trial's.
final class Gate: @unchecked Sendable {  // the word is only accessed through C atomics
  private let word: UnsafeMutablePointer<UInt32>

  init() {
    word = .allocate(capacity: 1)
    word.initialize(to: 0)
  }

  deinit { word.deallocate() }

  var value: UInt32 { ck_word_load(word) }

  /// The counter's word, for C loops that poll it.
  var address: UnsafePointer<UInt32> { UnsafePointer(word) }

  @discardableResult
  func advance() -> UInt32 {
    let value = ck_word_add(word, 1)
    ck_word_wake(word)
    return value
  }

  func reset() { ck_word_store(word, 0) }

  /// Waits until the counter has reached `target`.
  /// - Parameter timeout: nanoseconds from now.
  /// - Returns: false when the time was over first.
  func wait(until target: UInt32, timeout: Nanoseconds) -> Bool {
    let deadline = Clock.now + timeout
    while true {
      let seen = ck_word_load(word)
      if Int32(bitPattern: seen &- target) >= 0 { return true }
      let left = deadline - Clock.now
      if left <= 0 { return false }
      _ = ck_word_wait(word, seen, left)
    }
  }
}
