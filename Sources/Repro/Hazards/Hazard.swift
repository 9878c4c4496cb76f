import CKernel

/// What became of a hazard.
public struct HazardOutcome: Sendable, Codable, Equatable {
  /// The three ways it can go.
  public enum Kind: String, Sendable, Codable {
    /// The kernel did it.
    case applied
    /// The kernel's guard said no.
    case refused
    /// The kernel said yes, and nothing happened.
    case noEffect = "no effect"
  }

  /// Which way it went.
  public var kind: Kind
  /// How that is known: the kernel's answer, or what pagemap showed.
  public var evidence: String

  static func applied(_ evidence: String) -> Self { Self(kind: .applied, evidence: evidence) }
  static func refused(_ evidence: String) -> Self { Self(kind: .refused, evidence: evidence) }
  static func noEffect(_ evidence: String) -> Self { Self(kind: .noEffect, evidence: evidence) }

  var isApplied: Bool { kind == .applied }

  /// Kind and evidence in words.
  public var text: String { isApplied ? evidence : "\(kind.rawValue): \(evidence)" }
}

/// An operation that makes the kernel replace, write-protect or unmap the page under I/O.
/// One value serves all trials of a cell; each trial calls the methods in this order.
protocol Hazard: AnyObject, Sendable {
  /// Brings the page into the state that the hazard needs, before the I/O. The page holds its fill.
  func prepare(_ page: PageUnderIO) throws(KernelError)
  /// Does it, while the I/O is in flight.
  func act(_ page: PageUnderIO) throws(KernelError) -> HazardOutcome
  /// Undoes it after the I/O: children end, swapped pages come back.
  /// - Returns: damage that only the hazard can see, such as what a child saw.
  func settle(_ page: PageUnderIO) throws(KernelError) -> [Damage]
  /// Does it again without I/O, on the same page: a hazard that is refused both times was never
  /// eligible, and its refusal shows nothing.
  func actWithoutIO(_ page: PageUnderIO) throws(KernelError) -> HazardOutcome
  /// Whether another thread may store to the page while the hazard acts.
  var toleratesStores: Bool { get }
  /// What damage is called that only shows after `settle`; nil for what the verifier calls it.
  var lossOnSecondLook: Damage.Kind? { get }
}

extension Hazard {
  var toleratesStores: Bool { true }
  var lossOnSecondLook: Damage.Kind? { nil }

  /// Damage that only the second look saw, by this hazard's name for it.
  func naming(_ late: [Damage]) -> [Damage] {
    late.map { damage in
      var damage = damage
      damage.kind = lossOnSecondLook ?? damage.kind
      return damage
    }
  }

  func prepare(_ page: PageUnderIO) throws(KernelError) {}
  func settle(_ page: PageUnderIO) throws(KernelError) -> [Damage] { [] }
  func actWithoutIO(_ page: PageUnderIO) throws(KernelError) -> HazardOutcome { try act(page) }
}

/// The last page of the buffer that an I/O fills or empties, as hazards see it.
struct PageUnderIO: Sendable {
  let arena: Arena
  /// Start of the page.
  nonisolated(unsafe) let address: UnsafeMutableRawPointer
  /// A page of the same mapping that is free for the hazard's use.
  nonisolated(unsafe) let twin: UnsafeMutableRawPointer
  let size: Int
  /// Whether the I/O waits for the hazard.
  let schedule: Schedule
  let timeline: Timeline
  /// Finds the I/O's data in a copy of the page that must not have any.
  let leak: @Sendable (UnsafeRawPointer) -> [Damage]
  /// Nanoseconds after which a wait for the kernel is given up.
  let patience: Nanoseconds

  func entry() throws(KernelError) -> PageMapEntry { try PageMap(pageSize: size).entry(of: address) }
}
