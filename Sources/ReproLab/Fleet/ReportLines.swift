import Glibc
import Repro

/// The lines of a file, one at a time: a report of any length takes no more memory than its longest line.
final class ReportLines {
  /// The number of the line that was read last, from 1.
  private(set) var number = 0
  /// Where in the file the next line begins, bytes.
  private(set) var offset: Int
  /// Whether the line that was read last has no line end: what wrote it was cut off, or still writes.
  private(set) var isCut = false

  private let descriptor: CInt
  private var buffer: UnsafeMutableRawBufferPointer
  private var filled = 0
  private var taken = 0

  /// A line longer than this is none of ours.
  private static let longest = 1 << 26

  /// Opens the file at `path`.
  /// - Parameter offset: where to begin, bytes.
  /// - Throws: PlanError when there is none.
  init(_ path: String, from offset: Int = 0) throws(PlanError) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { throw PlanError("\(path): no report there; name a file made with --format jsonl") }
    lseek(descriptor, offset, SEEK_SET)
    self.offset = offset
    buffer = .allocate(byteCount: 1 << 20, alignment: 16)
  }

  deinit {
    close(descriptor)
    buffer.deallocate()
  }

  /// The next line, without its end, and nil at the end of the file. It is good until the next call.
  func next() -> UnsafeRawBufferPointer? {
    var searched = taken
    while true {
      let rest = UnsafeRawBufferPointer(rebasing: buffer[searched..<filled])
      if let base = rest.baseAddress, let end = memchr(base, 0x0a, rest.count) {
        let length = searched - taken + (UnsafeRawPointer(end) - base)
        return take(length, 1)
      }
      searched = filled
      let moved = taken
      if !fill() {
        if filled == taken { return nil }
        isCut = true
        return take(filled - taken, 0)
      }
      searched -= moved - taken
    }
  }

  private func take(_ length: Int, _ end: Int) -> UnsafeRawBufferPointer {
    defer {
      taken += length + end
      offset += length + end
      number += 1
    }
    return UnsafeRawBufferPointer(rebasing: buffer[taken..<taken + length])
  }

  /// Reads more of the file behind what is not taken yet.
  /// - Returns: whether there was more.
  private func fill() -> Bool {
    if taken > 0, let base = buffer.baseAddress {
      memmove(base, base + taken, filled - taken)
      filled -= taken
      taken = 0
    }
    if filled == buffer.count {
      guard buffer.count < Self.longest else { return false }
      let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.count * 2, alignment: 16)
      larger.copyMemory(from: UnsafeRawBufferPointer(buffer))
      buffer.deallocate()
      buffer = larger
    }
    while true {
      let room = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
      let count = read(descriptor, room.baseAddress, room.count)
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { return false }
      filled += count
      return true
    }
  }
}
