import CKernel
import Glibc
import SystemPackage

/// A POSIX thread. The trial's agents block in system calls for as long as the trial wants,
/// which the cooperative pool of Swift tasks must not.
package final class SystemThread: @unchecked Sendable {  // `thread` is written once, before anyone reads it
  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private var thread = pthread_t()

  /// A thread that runs `run`.
  package init(_ run: @escaping @Sendable () -> Void) throws(KernelError) {
    let body = Unmanaged.passRetained(Body(run))
    let result = pthread_create(&thread, nil, Self.enter, body.toOpaque())
    if result != 0 {
      body.release()
      throw KernelError("pthread_create", Errno(rawValue: result))
    }
  }

  /// Leaves it to end by itself.
  func detach() { pthread_detach(thread) }

  /// Waits for its end.
  package func join() { pthread_join(thread, nil) }

  // Nonisolated and static: a closure made on the main actor would trap on the new thread.
  private static let enter: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = {
    guard let context = $0 else { return nil }
    let stack = ck_crash_stack()
    Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
    ck_crash_stack_end(stack)
    return nil
  }
}
