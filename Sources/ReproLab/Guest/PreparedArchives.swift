import Foundation
import Glibc

/// Archives of what guests of one kernel have in common, `/init` and modules, made once: decompressing the
/// modules takes a tool for each, and finding them in an unpacked package a walk through all of its files.
///
/// An entry is for an image, an executable and a list of wanted modules, the executable by its content. It also
/// says which files the modules came from; when one of those is not what it was, the entry counts as none.
/// Nothing depends on the folder: without it, everything is made anew.
struct PreparedArchives: Sendable {
  let folder: String

  /// In the user's cache, beside the kernels.
  static var standard: PreparedArchives {
    PreparedArchives(
      folder: (KernelSource.standardCache as NSString).deletingLastPathComponent + "/initramfs")
  }

  /// What tells an entry from others.
  struct Key: Sendable {
    fileprivate let name: String

    init(_ kernel: Kernel, executable: [UInt8], modules: [String]) {
      var hash = FNV()
      let image = FileState(kernel.image)?.text ?? kernel.image
      hash.add("\(image)\n\(kernel.modules ?? "")\n\(modules.joined(separator: " "))\n")
      hash.add(executable)
      name = String(hash.value, radix: 16)
    }
  }

  /// What was kept.
  struct Entry: Sendable, Equatable {
    /// The names of the modules, in load order.
    var modules: [String]
    /// Entries of a cpio archive, without the one that ends it.
    var entries: [UInt8]
  }

  /// How many are kept; the oldest go first.
  private static let limit = 24

  /// The entry of `key`, if all its modules' files are as they were.
  func find(_ key: Key) -> Entry? {
    guard let data = FileManager.default.contents(atPath: path(key)), let end = data.firstIndex(of: 0) else {
      return nil
    }
    var modules: [String] = []
    for line in String(decoding: data[..<end], as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 1).map(String.init)
      guard words.count == 2, let file = words[1].split(separator: "\t").first,
        FileState(String(file))?.text == words[1]
      else { return nil }
      modules.append(words[0])
    }
    return Entry(modules: modules, entries: [UInt8](data[(end + 1)...]))
  }

  /// Keeps an entry for later; what can't be kept is made again.
  /// - Parameter modules: each module and the file that it came from.
  func keep(_ key: Key, _ modules: [(name: String, file: String)], _ entries: [UInt8]) {
    let lines = modules.compactMap { name, file in FileState(file).map { "\(name) \($0.text)\n" } }
    let files = FileManager.default
    guard lines.count == modules.count,
      (try? files.createDirectory(atPath: folder, withIntermediateDirectories: true)) != nil
    else { return }
    makeRoom()
    // Whole or not at all: a reader never sees half of a file that a rename puts there.
    try? (Data(lines.joined().utf8) + [0] + entries).write(
      to: URL(fileURLWithPath: path(key)), options: .atomic)
  }

  private func path(_ key: Key) -> String { "\(folder)/\(key.name)" }

  private func makeRoom() {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let byAge = names.compactMap { FileState("\(folder)/\($0)") }.sorted { $0.changed < $1.changed }
    for old in byAge.dropLast(Self.limit - 1) { unlink(old.path) }
  }
}

/// A file as far as stat(2) tells it from another.
private struct FileState {
  let path: String
  let size: Int
  /// Nanoseconds.
  let changed: Int

  init?(_ path: String) {
    var about = stat()
    guard stat(path, &about) == 0 else { return nil }
    self.path = path
    size = Int(about.st_size)
    changed = about.st_mtim.tv_sec * 1_000_000_000 + about.st_mtim.tv_nsec
  }

  var text: String { "\(path)\t\(size)\t\(changed)" }
}

/// The FNV-1a hash, a word at a time: for accidents, not for forgers.
private struct FNV {
  private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func add(_ text: String) { add(Array(text.utf8)) }

  mutating func add(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { bytes in
      var at = 0
      while at < bytes.count {
        let count = min(8, bytes.count - at)
        var word: UInt64 = 0
        withUnsafeMutableBytes(of: &word) { $0.copyMemory(from: .init(rebasing: bytes[at..<at + count])) }
        // The high half is folded in, or high bits of a word would never reach the low bits of the hash.
        value = (value ^ word) &* 0x100_0000_01b3
        value ^= value >> 32
        at += count
      }
    }
    value = (value ^ UInt64(bytes.count)) &* 0x100_0000_01b3
  }
}
