import Synchronization
import SystemPackage
import Testing

@testable import ReproLab

@Suite("Guest ports")
struct GuestPortsTests {
  private func listen(
    timeout: Duration = .seconds(20), silence: Duration = .seconds(20),
    speak: (GuestPorts) throws -> Void
  ) async throws -> (record: GuestPorts.Record, heard: [String], starts: Int) {
    let ports = try GuestPorts()
    let heard = Mutex<[String]>([])
    let starts = Mutex(0)
    try speak(ports)
    let record = await ports.listen(
      timeout: timeout, silence: silence, onStart: { starts.withLock { $0 += 1 } },
      onLine: { line in heard.withLock { $0.append(line) } })
    return (record, heard.withLock { $0 }, starts.withLock { $0 })
  }

  private func closeAll(_ ports: GuestPorts) throws {
    for end in [ports.console, ports.results, ports.messages] { try end.close() }
  }

  @Test func onlyWholeLinesAreDelivered() async throws {
    let (record, heard, starts) = try await listen { ports in
      try ports.console.writeAll("Linux\n".utf8)
      try ports.results.writeAll("{\"a\":1}\r\n{\"b\":2}\n{\"tor".utf8)
      try ports.messages.writeAll("qemu: hello".utf8)
      try closeAll(ports)
    }
    #expect(heard == ["{\"a\":1}", "{\"b\":2}"] && record.lines == heard)
    #expect(record.end == .closed && starts == 1)
    #expect(String(decoding: record.console, as: UTF8.self) == "Linux\n")
    #expect(String(decoding: record.messages, as: UTF8.self) == "qemu: hello")
  }

  @Test func silenceIsNoticed() async throws {
    let keep = Mutex<GuestPorts?>(nil)
    let (record, _, _) = try await listen(silence: .milliseconds(50)) { ports in
      keep.withLock { $0 = ports }
      try ports.console.writeAll("x".utf8)
    }
    #expect(record.end == .silent)
  }

  @Test func timeIsLimited() async throws {
    let (record, _, starts) = try await listen(timeout: .milliseconds(50)) { _ in }
    #expect(record.end == .timedOut && starts == 0)
  }

  @Test func anEndlessConsoleKeepsBeginningAndEnd() {
    var record = GuestPorts.Record()
    record.append(console: [UInt8](repeating: 1, count: 6 << 20)[...])
    record.append(console: [UInt8](repeating: 2, count: 6 << 20)[...])
    #expect(record.console.count < 6 << 20)
    #expect(record.console.first == 1 && record.console.last == 2)
  }
}
