import Testing

@testable import Repro

@Suite("Held requests")
struct HeldRequestsTests {
  private let memory = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 16)

  /// Segments of 3584 bytes from 7168 on.
  private func transfer(_ segments: Int, _ direction: Direction = .read) -> Transfer {
    Transfer(
      direction: direction, descriptor: -1,
      segments: (0..<segments).map { _ in Segment(memory: memory, length: 3584) }, offset: 7168)
  }

  private func request(
    _ offset: Int64, _ length: Int, _ direction: Direction = .read, id: UInt64 = 1
  ) -> HeldRequests.Request {
    HeldRequests.Request(id: id, direction: direction, offset: offset, length: length)
  }

  @Test("only the trial's own request is held: place, length and direction")
  func own() {
    let held = HeldRequests(.whole)
    #expect(!held.take(request(7168, 3584)), "nothing is armed")
    held.arm(transfer(1), Timeline())
    for other in [request(0, 512), request(7168, 512), request(7680, 3072), request(7168, 4096)] {
      #expect(!held.take(other), "\(other)")
    }
    #expect(!held.take(request(7168, 3584, .write)))
    #expect(!held.arrived(timeout: 0))
    #expect(held.take(request(7168, 3584)))
    #expect(held.arrived(timeout: 0))
    #expect(held.release().map(\.id) == [1])
    #expect(!held.take(request(7168, 3584)), "it was let go")
  }

  @Test("an armed write is left unread until it is let go, and one that was read before that is told")
  func unread() throws {
    let held = HeldRequests(.whole)
    held.arm(transfer(1), Timeline())
    #expect(!held.isToBeLeftUnread, "a read")
    held.arm(transfer(1, .write), Timeline())
    #expect(held.isToBeLeftUnread && !held.arrived(timeout: 0))
    let server = try SystemThread { held.leaveUnread() }
    #expect(held.arrived(timeout: Clock.seconds(10)))
    #expect(held.isToBeLeftUnread && !held.isRead && held.release().isEmpty)
    server.join()
    #expect(!held.isToBeLeftUnread && !held.take(request(7168, 3584, .write)) && !held.isRead)
    held.arm(transfer(1, .write), Timeline())
    #expect(held.take(request(7168, 3584, .write)) && held.isRead)
    _ = held.abort()
    #expect(!held.isToBeLeftUnread)
  }

  @Test("a deep I/O has arrived once all of its requests have")
  func whole() {
    let held = HeldRequests(.whole)
    held.arm(transfer(3), Timeline())
    #expect(held.take(request(7168, 3584, id: 1)))
    #expect(held.take(request(14336, 3584, id: 2)))
    #expect(!held.arrived(timeout: 0))
    #expect(held.take(request(10752, 3584, id: 3)))
    #expect(held.arrived(timeout: 0))
    #expect(Set(held.release().map(\.id)) == [1, 2, 3])
  }

  @Test("below a block device the first request is enough, and the rest is held too until the release")
  func first() {
    let held = HeldRequests(.first)
    held.arm(transfer(3), Timeline())
    #expect(held.take(request(7168, 3584, id: 1)))
    #expect(held.arrived(timeout: 0))
    #expect(held.release().map(\.id) == [1])
    #expect(!held.take(request(10752, 3584)), "the worker's next request is answered at once")
  }

  @Test("an aborted target holds nothing any more")
  func abort() {
    let held = HeldRequests(.whole)
    held.arm(transfer(1), Timeline())
    #expect(held.take(request(7168, 3584)))
    #expect(held.abort().count == 1)
    held.arm(transfer(1), Timeline())
    #expect(!held.take(request(7168, 3584)))
  }
}
