import CKernel
import Synchronization

/// The thread of the race that stores to one word of the page, over and over, until it is stopped.
final class StoreThread: @unchecked Sendable {  // the address is the trial's, and only stored to here
  private struct State {
    /// An address as a number: pointers don't cross a Mutex.
    var address: UInt = 0
    var values: [UInt64] = []
    var stores: UInt64 = 0
    var stopping = false
  }

  private let state = Mutex(State())
  private let requests = Gate()
  private let stops = Gate()
  private let completions = Gate()
  private var thread: SystemThread?
  private var begun: UInt32 = 0

  init() throws(KernelError) {
    thread = try SystemThread { self.serve() }
  }

  /// Starts storing `values` in turn to `address`.
  func start(_ address: UnsafeMutableRawPointer, _ values: [UInt64]) {
    stops.reset()
    let address = UInt(bitPattern: address)
    state.withLock {
      $0.address = address
      $0.values = values
    }
    begun = requests.advance()
  }

  /// Stops storing.
  /// - Returns: how many stores were made; at least one.
  func finish() -> UInt64 {
    stops.advance()
    while !completions.wait(until: begun, timeout: Clock.seconds(3600)) {}
    return state.withLock { $0.stores }
  }

  func stop() {
    state.withLock { $0.stopping = true }
    requests.advance()
    thread?.join()
    thread = nil
  }

  private func serve() {
    var served: UInt32 = 0
    while true {
      served &+= 1
      while !requests.wait(until: served, timeout: Clock.seconds(3600)) {}
      let (address, values, stopping) = state.withLock { ($0.address, $0.values, $0.stopping) }
      guard !stopping, let address = UnsafeMutableRawPointer(bitPattern: address) else { return }
      let stores = values.withUnsafeBufferPointer {
        ck_store_until(address, $0.baseAddress, UInt32($0.count), stops.address)
      }
      state.withLock { $0.stores = stores }
      completions.advance()
    }
  }
}
