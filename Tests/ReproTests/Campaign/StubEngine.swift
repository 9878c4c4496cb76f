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
  }

  private let fault: Fault
  private let real = PreadEngine()

  init(_ fault: Fault) { self.fault = fault }

  static let error = KernelError("stub engine", .ioError)

  func perform(_ transfer: Transfer) throws(KernelError) -> Int {
    switch fault {
    case .throwing: throw Self.error
    case .throwingAfterwards:
      _ = try real.perform(transfer)
      throw Self.error
    case .lying: return transfer.length
    case .bouncing:
      let own = UnsafeMutableRawPointer.allocate(byteCount: transfer.length, alignment: 4096)
      defer { own.deallocate() }
      var bounced = transfer
      bounced.memory = own
      if transfer.direction == .write { own.copyMemory(from: transfer.memory, byteCount: transfer.length) }
      let count = try real.perform(bounced)
      if transfer.direction == .read { transfer.memory.copyMemory(from: own, byteCount: count) }
      return count
    }
  }
}
