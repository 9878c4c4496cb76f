import Synchronization
import SystemPackage

@testable import Repro

/// A held target without a kernel: ``MemoryEngine`` plays the I/O, so that a test says what memory
/// holds when the I/O "returns". Needs no privilege and no FUSE.
final class MemoryTarget: HoldingTarget {
  let name = "memory"
  let path = IOPath.fuse
  let alignment = 512
  let descriptor: CInt = -1
  let pattern: Pattern
  let arrivals = Gate()
  let releases = Gate()
  /// What a direct write left; nil for what stood there before.
  let disk = Mutex<[UInt8]?>(nil)
  private let armed = Mutex<UInt32>(0)

  init(_ pattern: Pattern) { self.pattern = pattern }

  func place(trial: Int, length: Int, _ direction: Direction) -> (offset: Int64, content: Stamp) {
    (Int64(trial) * 4096, Stamp(.file, generation: 0, block: trial * 8))
  }

  func readBack(
    offset: Int64, into buffer: UnsafeMutableRawPointer, length: Int
  ) throws(KernelError) {
    if let written = disk.withLock({ $0 }) {
      written.withUnsafeBytes { buffer.copyMemory(from: $0.baseAddress!, byteCount: length) }
    } else {
      pattern.fill(buffer, 0..<length, with: Stamp(.file, generation: 0, block: Int(offset) / 512))
    }
  }

  func openOnIOThread() {}
  func close() {}
  func arm(_ transfer: Transfer, _ timeline: Timeline) { armed.withLock { $0 = arrivals.value + 1 } }
  func awaitHeld(timeout: Nanoseconds) -> Bool {
    arrivals.wait(until: armed.withLock { $0 }, timeout: timeout)
  }
  func release() throws(KernelError) { releases.advance() }
  func abort() { releases.advance() }
}

/// Moves data like a kernel that does `deliver`, once the target lets go.
final class MemoryEngine: Engine {
  private let target: MemoryTarget
  private let deliver: @Sendable (Transfer, MemoryTarget) throws(KernelError) -> Int

  init(
    _ target: MemoryTarget, deliver: @escaping @Sendable (Transfer, MemoryTarget) throws(KernelError) -> Int
  ) {
    self.target = target
    self.deliver = deliver
  }

  func perform(_ transfer: Transfer) throws(KernelError) -> Int {
    let arrival = target.arrivals.advance()
    guard target.releases.wait(until: arrival, timeout: Clock.seconds(20)) else {
      throw KernelError("wait for release", .timedOut)
    }
    return try deliver(transfer, target)
  }

  /// A kernel that does it right.
  static let right: @Sendable (Transfer, MemoryTarget) throws(KernelError) -> Int = {
    (transfer, target) throws(KernelError) in
    switch transfer.direction {
    case .read:
      let stamp = Stamp(.file, generation: 0, block: Int(transfer.offset) / 512)
      target.pattern.fill(transfer.memory, 0..<transfer.length, with: stamp)
    case .write:
      let data = UnsafeRawBufferPointer(start: transfer.memory, count: transfer.length)
      target.disk.withLock { $0 = Array(data) }
    }
    return transfer.length
  }

  /// A kernel that says it did it.
  static let idle: @Sendable (Transfer, MemoryTarget) throws(KernelError) -> Int = {
    (transfer, _) throws(KernelError) in transfer.length
  }
}

/// A hazard that does as told.
final class ToldHazard: Hazard {
  typealias Act = @Sendable (PageUnderIO) throws(KernelError) -> HazardOutcome
  let lossOnSecondLook: Damage.Kind?
  private let onAct: Act
  private let onActWithoutIO: Act
  private let onSettle: @Sendable (PageUnderIO) throws(KernelError) -> [Damage]

  init(
    lossOnSecondLook: Damage.Kind? = nil,
    act: @escaping Act = { (_) throws(KernelError) in .applied("done") },
    actWithoutIO: Act? = nil,
    settle: @escaping @Sendable (PageUnderIO) throws(KernelError) -> [Damage] = {
      (_) throws(KernelError) in []
    }
  ) {
    self.lossOnSecondLook = lossOnSecondLook
    onAct = act
    onActWithoutIO = actWithoutIO ?? act
    onSettle = settle
  }

  func act(_ page: PageUnderIO) throws(KernelError) -> HazardOutcome { try onAct(page) }
  func actWithoutIO(_ page: PageUnderIO) throws(KernelError) -> HazardOutcome { try onActWithoutIO(page) }
  func settle(_ page: PageUnderIO) throws(KernelError) -> [Damage] { try onSettle(page) }
}
