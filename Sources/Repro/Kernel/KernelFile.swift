import Glibc
import SystemPackage

/// The small text files of /proc and /sys: read whole, written in one call.
public enum KernelFile {
  /// The file's text without trailing white space.
  public static func read(_ path: String) throws(KernelError) -> String {
    try attempt("read \(path)") {
      let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
      return try file.closeAfter {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
          let count = try chunk.withUnsafeMutableBytes { try file.read(into: $0) }
          if count == 0 { break }
          bytes += chunk[..<count]
        }
        while let last = bytes.last, last == 10 || last == 32 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
      }
    }
  }

  /// Where the symbolic link leads.
  static func link(_ path: String) throws(KernelError) -> String {
    var name = [UInt8](repeating: 0, count: 256)
    let count = readlink(path, &name, name.count)
    if count < 0 { throw .last("read the link \(path)") }
    return String(decoding: name[..<count], as: UTF8.self)
  }

  /// Writes `text` in one write(2), as these files want it.
  public static func write(_ path: String, _ text: String) throws(KernelError) {
    _ = try attempt("write \(text) to \(path)") {
      let file = try FileDescriptor.open(FilePath(path), .writeOnly, options: .closeOnExec)
      return try file.closeAfter { try file.writeAll(text.utf8) }
    }
  }

  static func exists(_ path: String) -> Bool {
    guard let file = try? FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec) else {
      return false
    }
    try? file.close()
    return true
  }

  /// The number in the file, nil when it is missing or holds something else.
  static func number(_ path: String) -> Int? {
    guard let text = try? read(path) else { return nil }
    return Int(text)
  }

  /// The setting in force of a file that brackets it: `always [madvise] never`.
  static func selected(in text: String) -> String {
    guard let open = text.firstIndex(of: "["), let close = text.firstIndex(of: "]"), open < close else {
      return text
    }
    return String(text[text.index(after: open)..<close])
  }

  /// Whether any swap is on.
  static var hasSwap: Bool { ((try? read("/proc/swaps")) ?? "").split(separator: "\n").count > 1 }
}
