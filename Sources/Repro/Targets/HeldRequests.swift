import Synchronization

/// The requests of one I/O that a server keeps unanswered: which ones to hold, which have come.
///
/// An I/O may arrive as one request or as many, by the engine and by what lies between it and the
/// server. The server asks ``take(_:)`` for each, and answers what is given back.
final class HeldRequests: Sendable {
  /// A read or write as it reached the server.
  struct Request: Sendable {
    /// The server's number to answer under.
    var id: UInt64
    var direction: Direction
    /// Bytes from the start of the target.
    var offset: Int64
    /// Bytes.
    var length: Int
  }

  /// When all pages of the I/O are taken.
  enum Arrival: Sendable {
    /// Once every byte is asked for: each request takes its own pages.
    case whole
    /// Once the first request is there: what lies between took all pages before it sent any.
    case first
  }

  /// The I/O to hold.
  private struct Armed {
    var direction: Direction
    var range: Range<Int64>
    /// Bytes of one of its segments.
    var segment: Int64
    var isOne: Bool

    /// Whether the request is a part of it. Others, such as udev, read block devices too, in other places
    /// and lengths.
    func includes(_ request: Request) -> Bool {
      let end = request.offset + Int64(request.length)
      guard direction == request.direction, range.contains(request.offset), end <= range.upperBound else {
        return false
      }
      if isOne { return request.offset == range.lowerBound && end == range.upperBound }
      return (request.offset - range.lowerBound) % segment == 0 && request.length >= segment
    }
  }

  private struct State {
    var armed: Armed?
    var held: [Request] = []
    var missing = 0
    var isReleased = false
    var isAborted = false
    /// Whether a byte of the armed write was read before the release.
    var isRead = false
    var timeline: Timeline?
  }

  private let arrival: Arrival
  private let state = Mutex(State())
  private let arrivals = Gate()
  private let releases = Gate()

  init(_ arrival: Arrival) { self.arrival = arrival }

  func arm(_ transfer: Transfer, _ timeline: Timeline) {
    let armed = Armed(
      direction: transfer.direction, range: transfer.offset..<transfer.offset + Int64(transfer.length),
      segment: Int64(transfer.segments[0].length), isOne: transfer.segments.count == 1)
    arrivals.reset()
    releases.reset()
    state.withLock {
      $0.isRead = false
      $0.armed = armed
      $0.missing = transfer.length
      $0.isReleased = false
      $0.timeline = timeline
    }
  }

  func arrived(timeout: Nanoseconds) -> Bool { arrivals.wait(until: 1, timeout: timeout) }

  /// Whether a write is armed: then the server must not read its next request before ``leaveUnread()``
  /// returns, since with the request it gets the bytes, and what is stored after that is not in the write.
  var isToBeLeftUnread: Bool {
    state.withLock { $0.armed?.direction == .write && !$0.isReleased && !$0.isAborted }
  }

  /// Whether the bytes of the armed write came to the server all the same, before the release.
  var isRead: Bool { state.withLock { $0.isRead } }

  /// A request is there to be read: waits until the write is released. It need not be the write itself; whether
  /// its pages are taken is for who looks at them.
  func leaveUnread() {
    mark("a request is there, and left unread")
    arrivals.advance()
    while isToBeLeftUnread { _ = releases.wait(until: 1, timeout: Clock.seconds(1)) }
  }

  /// Keeps the request if it belongs to the armed I/O and is not to be answered yet.
  /// - Returns: whether it is kept.
  func take(_ request: Request) -> Bool {
    let (isHeld, hasArrived) = state.withLock { state in
      guard let armed = state.armed, !state.isReleased, !state.isAborted, armed.includes(request) else {
        return (false, false)
      }
      let isFirst = state.held.isEmpty
      state.isRead = request.direction == .write
      state.held.append(request)
      state.missing -= request.length
      let hasArrived = arrival == .first ? isFirst : state.missing == 0
      if hasArrived {
        let count = state.held.count == 1 ? "request" : "\(state.held.count) requests"
        state.timeline?.mark(.target, "\(request.direction) \(count) arrived: pages taken, held")
      }
      return (true, hasArrived)
    }
    if hasArrived { arrivals.advance() }
    return isHeld
  }

  /// Lets the I/O go; what comes of it from now on is not held.
  /// - Returns: the requests to answer.
  func release() -> [Request] {
    defer { releases.advance() }
    return state.withLock { state in
      state.isReleased = true
      defer { state.held = [] }
      return state.held
    }
  }

  /// Holds nothing any more.
  /// - Returns: the requests to end with an error.
  func abort() -> [Request] {
    defer { releases.advance() }
    return state.withLock { state in
      state.isAborted = true
      defer { state.held = [] }
      return state.held
    }
  }

  /// Notes what the server does, in the timeline of the trial.
  func mark(_ what: @autoclosure () -> String) {
    guard let timeline = state.withLock({ $0.timeline }) else { return }
    timeline.mark(.target, what())
  }
}
