import Foundation
import Glibc
import SystemPackage

/// The host's ends of what a guest says: console, result lines, and QEMU's own complaints.
///
/// One thread waits for all three with poll(2), which makes it the watchdog too: its time-out is whatever is left
/// of the guest's time or of its allowed silence. The ports end when QEMU does, however that comes about, since it
/// holds the only other ends; so killing QEMU is all it takes to end the wait.
final class GuestPorts: Sendable {
  /// Why listening ended.
  enum End: Sendable, Equatable {
    /// QEMU is gone.
    case closed
    /// The guest had its whole time.
    case timedOut
    /// Nothing came on any port for as long as allowed.
    case silent
  }

  /// What was heard.
  struct Record: Sendable {
    var console: [UInt8] = []
    var lines: [String] = []
    var messages: [UInt8] = []
    var end: End = .closed
  }

  /// The ends for QEMU, closed on this side when it has been started.
  let console: FileDescriptor
  let results: FileDescriptor
  let messages: FileDescriptor
  private let readEnds: [FileDescriptor]

  init() throws {
    // Close-on-exec, so that no other child holds an end and delays the closing.
    let pipes = try (0..<3).map { _ in try FileDescriptor.pipe(options: .closeOnExec) }
    readEnds = pipes.map(\.readEnd)
    console = pipes[0].writeEnd
    results = pipes[1].writeEnd
    messages = pipes[2].writeEnd
  }

  deinit {
    for end in readEnds { try? end.close() }
  }

  /// Once the guest has reported its final status, how long it may take to power off.
  private static let grace = Duration.seconds(15)

  /// Listens on a thread of its own until QEMU is gone or the watchdog strikes.
  func listen(
    timeout: Duration, silence: Duration, onStart: @escaping @Sendable () -> Void,
    onLine: @escaping @Sendable (String) -> Void
  ) async -> Record {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        continuation.resume(
          returning: self.record(timeout: timeout, silence: silence, onStart: onStart, onLine: onLine))
      }
    }
  }

  private func record(
    timeout: Duration, silence: Duration, onStart: () -> Void, onLine: (String) -> Void
  ) -> Record {
    var record = Record()
    var line: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    var watched = readEnds.map { pollfd(fd: $0.rawValue, events: Int16(POLLIN), revents: 0) }
    let clock = ContinuousClock()
    var deadline = clock.now + timeout
    var heard = clock.now
    var started = false

    while watched.contains(where: { $0.fd >= 0 }) {
      let now = clock.now
      let left = min(deadline - now, heard + silence - now)
      guard left > .zero else {
        record.end = deadline <= now ? .timedOut : .silent
        break
      }
      let milliseconds = min(left / .milliseconds(1), 3_600_000).rounded(.up)
      guard poll(&watched, nfds_t(watched.count), CInt(milliseconds)) > 0 else { continue }
      for port in watched.indices where watched[port].revents != 0 {
        let count = read(watched[port].fd, &buffer, buffer.count)
        if count < 0, errno == EINTR || errno == EAGAIN { continue }
        guard count > 0 else {
          watched[port].fd = -1
          continue
        }
        heard = clock.now
        switch port {
        case 0:
          if !started { onStart() }
          started = true
          record.append(console: buffer[..<count])
        case 1:
          for byte in buffer[..<count] {
            if byte != UInt8(ascii: "\n") {
              line.append(byte)
              continue
            }
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            let text = String(decoding: line, as: UTF8.self)
            line.removeAll(keepingCapacity: true)
            record.lines.append(text)
            onLine(text)
            if GuestEnding.status(in: text) != nil { deadline = min(deadline, heard + Self.grace) }
          }
        default:
          record.messages += buffer[..<count].prefix(max(0, 1 << 16 - record.messages.count))
        }
      }
    }
    return record
  }
}

extension GuestPorts.Record {
  /// A kernel in trouble can print without end: past 8 MiB the middle goes, the beginning and the end stay.
  mutating func append(console bytes: ArraySlice<UInt8>) {
    console += bytes
    guard console.count > 8 << 20 else { return }
    console.replaceSubrange((1 << 20)..<(console.count - 4 << 20), with: Array("\n[... cut ...]\n".utf8))
  }
}
