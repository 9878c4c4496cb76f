import Glibc
import SystemPackage

@testable import Repro

/// An engine that does one thing wrong.
final class StubEngine: Engine {
  /// What is wrong with it.
  enum Fault: Sendable {
    /// Throws, and does no I/O.
    case throwing
    /// Does the I/O, and then throws.
    case throwingAfterwards
    /// Claims success, and does no I/O.
    case lying
    /// Reads into memory of its own and copies: a replaced page loses nothing.
    case bouncing
    /// Reads into memory of its own and claims success: data is lost without any hazard.
    case swallowing
  }

  private let fault: Fault
  private let real = PreadEngine()
  private var transfer: Transfer?

  init(_ fault: Fault) { self.fault = fault }

  static let error = KernelError("stub engine", .ioError)

  func issue(_ transfer: Transfer) { self.transfer = transfer }

  func reap() throws(KernelError) -> Int {
    guard let transfer = transfer.take() else { return 0 }
    switch fault {
    case .throwing: throw Self.error
    case .throwingAfterwards:
      real.issue(transfer)
      _ = try real.reap()
      throw Self.error
    case .lying: return transfer.length
    case .bouncing, .swallowing:
      let segment = transfer.segments[0]
      let own = UnsafeMutableRawPointer.allocate(byteCount: segment.length, alignment: 4096)
      defer { own.deallocate() }
      var bounced = transfer
      bounced.segments[0].memory = own
      if transfer.direction == .write { own.copyMemory(from: segment.memory, byteCount: segment.length) }
      real.issue(bounced)
      let count = try real.reap()
      if transfer.direction == .read, fault == .bouncing {
        segment.memory.copyMemory(from: own, byteCount: count)
      }
      return count
    }
  }
}
