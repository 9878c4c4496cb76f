import Synchronization
import SystemPackage

@testable import Repro

/// A held target without a kernel: ``MemoryEngine`` plays the I/O, so that a test says what memory
/// holds when the I/O "returns". Needs no privilege and no FUSE.
final class MemoryTarget: Target, Hold {
  let name = "memory"
  let path = IOPath.fuse
  var hold: (any Hold)? { self }
  let alignment = 512
  let descriptor: CInt = -1
  let pattern: Pattern
  let arrivals = Gate()
  let releases = Gate()
  /// What a direct write left; nil for what stood there before.
  let disk = Mutex<[UInt8]?>(nil)
  /// What reading back what was written ends with, if anything.
  let readBackError = Mutex<Errno?>(nil)
  /// What its copies hold, if it is mirrored.
  let halves = Mutex<[[UInt8]]>([])
  /// Whether what is read stands in the page cache afterwards.
  private let isBuffered: Bool
  private let armed = Mutex<UInt32>(0)

  init(_ pattern: Pattern, isBuffered: Bool = false) {
    self.pattern = pattern
    self.isBuffered = isBuffered
  }

  func place(trial: Int, length: Int, _ direction: Direction) -> (offset: Int64, content: Stamp) {
    (Int64(trial) * 4096, Stamp(.file, generation: 0, block: trial * 8))
  }

  func readBack(
    offset: Int64, into buffer: UnsafeMutableRawPointer, length: Int
  ) throws(KernelError) {
    if let error = readBackError.withLock({ $0 }) { throw KernelError("read back", error) }
    if let written = disk.withLock({ $0 }) {
      written.withUnsafeBytes { buffer.copyMemory(from: $0.baseAddress!, byteCount: length) }
    } else {
      pattern.fill(buffer, 0..<length, with: Stamp(.file, generation: 0, block: Int(offset) / 512))
    }
  }

  func copies(offset: Int64, length: Int) -> [[UInt8]] { halves.withLock { $0 } }
  func isCached(offset: Int64, length: Int) -> Bool { isBuffered }
  func openOnIOThread() {}
  func close() {}
  func arm(_ transfer: Transfer, _ timeline: Timeline) { armed.withLock { $0 = arrivals.value + 1 } }
  func arrived(timeout: Nanoseconds) -> Bool {
    arrivals.wait(until: armed.withLock { $0 }, timeout: timeout)
  }
  func release() throws(KernelError) { releases.advance() }
  func abort() { releases.advance() }
}

/// Moves data like a kernel that does `deliver`, once the target lets go.
final class MemoryEngine: Engine {
  private let target: MemoryTarget
  private let early: (@Sendable (Transfer, MemoryTarget) throws(KernelError) -> Int)?
  private let deliver: @Sendable (Transfer, MemoryTarget) throws(KernelError) -> Int

  /// - Parameter early: done before the I/O is held.
  init(
    _ target: MemoryTarget, early: (@Sendable (Transfer, MemoryTarget) throws(KernelError) -> Int)? = nil,
    deliver: @escaping @Sendable (Transfer, MemoryTarget) throws(KernelError) -> Int
  ) {
    self.target = target
    self.early = early
    self.deliver = deliver
  }

  private var transfer: Transfer?

  func issue(_ transfer: Transfer) { self.transfer = transfer }

  func reap() throws(KernelError) -> Int {
    guard let transfer = transfer.take() else { return 0 }
    _ = try early?(transfer, target)
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
      for (segment, offset) in transfer.placed {
        let stamp = Stamp(.file, generation: 0, block: Int(offset) / 512)
        target.pattern.fill(segment.memory, 0..<segment.length, with: stamp)
      }
    case .write:
      let data = transfer.segments.flatMap {
        Array(UnsafeRawBufferPointer(start: $0.memory, count: $0.length))
      }
      target.disk.withLock { $0 = data }
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
  typealias Act = @Sendable (PagesUnderIO) throws(KernelError) -> HazardOutcome
  let lossOnSecondLook: Damage.Kind?
  let refusal: Guard? = ToldHazard.refuses
  let replacesFrames: Bool
  let toleratesStores: Bool
  let viewsHoldInRaces: Bool
  private let onAct: Act
  private let onActWithoutIO: Act
  private let onSettle: @Sendable (PagesUnderIO) throws(KernelError) -> [View]
  private let onAsked: @Sendable (Observation) -> Guard?

  static let holds = Guard("told-holds", "as told")
  static let refuses = Guard("told-refuses", "as told")

  init(
    lossOnSecondLook: Damage.Kind? = nil, replacesFrames: Bool = false, toleratesStores: Bool = true,
    viewsHoldInRaces: Bool = false,
    act: @escaping Act = { (_) throws(KernelError) in .applied("done") },
    actWithoutIO: Act? = nil,
    settle: @escaping @Sendable (PagesUnderIO) throws(KernelError) -> [View] = {
      (_) throws(KernelError) in []
    },
    asked: @escaping @Sendable (Observation) -> Guard? = { _ in ToldHazard.holds }
  ) {
    self.lossOnSecondLook = lossOnSecondLook
    self.replacesFrames = replacesFrames
    self.toleratesStores = toleratesStores
    self.viewsHoldInRaces = viewsHoldInRaces
    onAct = act
    onActWithoutIO = actWithoutIO ?? act
    onSettle = settle
    onAsked = asked
  }

  func act(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] { [try onAct(pages)] }
  func actWithoutIO(_ pages: PagesUnderIO) throws(KernelError) -> [HazardOutcome] {
    [try onActWithoutIO(pages)]
  }
  func settle(_ pages: PagesUnderIO) throws(KernelError) -> [View] { try onSettle(pages) }
  func asked(_ page: Observation, _ number: Int) -> Guard? { onAsked(page) }
}
