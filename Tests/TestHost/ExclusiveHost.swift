import Glibc
package import Testing

/// A suite that makes FUSE connections, or compares or changes the machine's state: no two of them
/// run at the same time, in this process or another.
package struct ExclusiveHost: SuiteTrait, TestScoping {
  package func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    let lock = open("/tmp/repro-tests.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    defer { close(lock) }
    // Not LOCK_EX alone: a thread that waits in it would be missing where the lock's owner goes on.
    while flock(lock, LOCK_EX | LOCK_NB) != 0 { try await Task.sleep(for: .milliseconds(50)) }
    try await function()
  }
}

extension Trait where Self == ExclusiveHost {
  /// Runs the suite alone among those with this trait.
  package static var exclusive: Self { Self() }
}
