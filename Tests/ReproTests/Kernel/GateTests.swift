import Testing

@testable import Repro

@Suite("Gate")
struct GateTests {
  @Test("lets through what it has reached, at once")
  func reached() {
    let gate = Gate()
    #expect(gate.wait(until: 0, timeout: 0))
    #expect(gate.advance() == 1)
    gate.advance()
    #expect(gate.value == 2)
    #expect(gate.wait(until: 1, timeout: 0) && gate.wait(until: 2, timeout: 0))
    gate.reset()
    #expect(gate.value == 0)
  }

  @Test("gives up when the time is over, and not before")
  func timeout() {
    let gate = Gate()
    let start = Clock.now
    #expect(!gate.wait(until: 1, timeout: Clock.milliseconds(20)))
    #expect(Clock.now - start >= Clock.milliseconds(20))
  }

  @Test("wakes the one who waits")
  func wakes() throws {
    let (there, back) = (Gate(), Gate())
    let thread = try SystemThread {
      for turn in 1...200 {
        guard there.wait(until: UInt32(turn), timeout: Clock.seconds(20)) else { return }
        back.advance()
      }
    }
    for turn in 1...200 {
      there.advance()
      #expect(back.wait(until: UInt32(turn), timeout: Clock.seconds(20)))
    }
    thread.join()
  }

  @Test("what was written before an advance is seen after the wait")
  func publishes() throws {
    /// A value that only the gate protects.
    final class Box: @unchecked Sendable {  // the gate orders write and read
      var value = 0
    }
    let (gate, box) = (Gate(), Box())
    let thread = try SystemThread {
      box.value = 42
      gate.advance()
    }
    #expect(gate.wait(until: 1, timeout: Clock.seconds(20)))
    #expect(box.value == 42)
    thread.join()
  }
}
