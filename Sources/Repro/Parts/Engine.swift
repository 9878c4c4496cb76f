/// One contiguous part of memory.
struct Segment: Sendable {
  /// Start, aligned as the target wants it.
  nonisolated(unsafe) var memory: UnsafeMutableRawPointer
  /// Bytes.
  var length: Int
}

/// One I/O between memory and a target.
struct Transfer: Sendable {
  var direction: Direction
  var descriptor: CInt
  /// Parts of memory, in the order of the target's bytes.
  var segments: [Segment]
  /// Bytes from the start of the target.
  var offset: Int64

  /// Bytes in all.
  var length: Int { segments.reduce(0) { $0 + $1.length } }

  /// The segments with the offset of each on the target.
  var placed: [(segment: Segment, offset: Int64)] {
    var offset = offset
    return segments.map { segment in
      defer { offset += Int64(segment.length) }
      return (segment, offset)
    }
  }

  /// Of no I/O.
  static let none = Transfer(direction: .read, descriptor: -1, segments: [], offset: 0)

  var text: String { "\(direction) \(length) bytes at \(offset)" }
}

/// A way to issue direct I/O. All methods are called on the I/O thread, which also makes it.
protocol Engine: AnyObject {
  /// Makes memory known to the kernel before any I/O, where the engine does that.
  func attach(_ region: Segment) throws(KernelError)
  /// Submits the transfer. Engines whose system call also waits do nothing here.
  func issue(_ transfer: Transfer) throws(KernelError)
  /// Waits for all of it; those whose system call does both do it here.
  /// - Returns: the bytes transferred.
  func reap() throws(KernelError) -> Int
  /// Undoes ``attach(_:)``.
  func detach()
}

extension Engine {
  func attach(_ region: Segment) throws(KernelError) {}
  func detach() {}
}

/// An engine by name.
public struct EngineKind: Part {
  /// What scenarios may rely on.
  public enum Trait: String, Sendable, CaseIterable {
    /// Issuing returns with the I/O in flight; deep I/O is several requests.
    case asynchronous
    /// Kernel threads may take the pages after issuing has returned.
    case workers
    /// Attaching takes the pages, for as long as they are attached (FOLL_PIN | FOLL_LONGTERM).
    case registers
    /// It works at the descriptor's position, which all who share the descriptor set.
    case seeks
  }

  /// The name: `pread`.
  public let name: String
  /// One line.
  public let summary: String
  /// See ``Part``.
  public let needs: [Need]
  /// See ``Part``.
  public let settings: [Setting]
  /// What it is like.
  public let traits: Set<Trait>
  /// The engine in C.
  let c: CEngine

  /// Makes one, on the I/O thread, for up to `depth` segments in flight.
  let make: @Sendable (_ depth: Int) throws(KernelError) -> any Engine

  init(
    _ name: String, _ summary: String, needs: [Need] = [], settings: [Setting] = [], traits: Set<Trait> = [],
    c: CEngine, make: @escaping @Sendable (_ depth: Int) throws(KernelError) -> any Engine
  ) {
    self.name = name
    self.summary = summary
    self.needs = needs
    self.settings = settings
    self.traits = traits
    self.c = c
    self.make = make
  }
}
