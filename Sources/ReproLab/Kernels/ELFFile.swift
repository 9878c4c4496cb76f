import Foundation

/// What the lab wants to know of a 64-bit ELF file: kernel modules and the guest's executables.
struct ELFFile: Sendable {
  private let bytes: [UInt8]
  private let isBigEndian: Bool

  /// Nil if the bytes aren't a 64-bit ELF file with a plausible header.
  init?(_ bytes: [UInt8]) {
    guard bytes.count >= 64, bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2]), [1, 2].contains(bytes[5]) else {
      return nil
    }
    self.bytes = bytes
    isBigEndian = bytes[5] == 2
  }

  /// The machine it is for, as `uname -m` has it; nil for one that the lab has no guests of.
  var machineName: String? {
    switch (number(at: 18, 2), isBigEndian) {
    case (62, false): "x86_64"
    case (183, false): "aarch64"
    case (21, false): "ppc64le"
    case (22, true): "s390x"
    case (243, false): "riscv64"
    default: nil
    }
  }

  /// Whether the kernel can start it without a dynamic loader.
  var isStatic: Bool {
    let interpreter: UInt64 = 3
    return !table(at: 32, entrySizeAt: 54, countAt: 56).contains { number(at: $0, 4) == interpreter }
  }

  /// Whether a note says where a PVH loader shall enter it: XEN_ELFNOTE_PHYS32_ENTRY, 18, of the owner "Xen"
  /// (include/xen/interface/elfnote.h).
  var hasPVHEntry: Bool {
    let note: UInt64 = 4
    return table(at: 32, entrySizeAt: 54, countAt: 56).contains { header in
      guard number(at: header, 4) == note, let start = number(at: header + 8, 8),
        let size = number(at: header + 32, 8), start <= bytes.count, size <= UInt64(bytes.count) - start
      else { return false }
      return hasNote(18, of: "Xen", in: Int(start)..<Int(start + size))
    }
  }

  /// Notes: sizes of name and description, type, then the two, each filled up to four bytes.
  private func hasNote(_ type: UInt64, of owner: String, in notes: Range<Int>) -> Bool {
    var at = notes.lowerBound
    while at + 12 <= notes.upperBound, let name = number(at: at, 4), let description = number(at: at + 4, 4) {
      let text = bytes[(at + 12)..<notes.upperBound].prefix(Int(name))
      if number(at: at + 8, 4) == type, text.elementsEqual(owner.utf8 + [0]) { return true }
      at += 12 + [name, description].reduce(0) { $0 + (Int($1) + 3) & ~3 }
    }
    return false
  }

  /// The `key=value` pairs of a kernel module's `.modinfo` section.
  var moduleInfo: [(key: String, value: String)] {
    guard let section = section(named: ".modinfo") else { return [] }
    return section.split(separator: 0).compactMap { entry in
      let parts = entry.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { return nil }
      return (String(decoding: parts[0], as: UTF8.self), String(decoding: parts[1], as: UTF8.self))
    }
  }

  private func section(named name: String) -> ArraySlice<UInt8>? {
    let headers = table(at: 40, entrySizeAt: 58, countAt: 60)
    let names = Int(number(at: 62, 2) ?? 0)
    guard names < headers.count, let texts = contents(ofSection: headers[names]) else { return nil }
    for header in headers {
      guard let offset = number(at: header, 4), offset < UInt64(texts.count) else { continue }
      let text = texts.dropFirst(Int(offset)).prefix { $0 != 0 }
      if text.elementsEqual(name.utf8) { return contents(ofSection: header) }
    }
    return nil
  }

  private func contents(ofSection header: Int) -> ArraySlice<UInt8>? {
    guard let start = number(at: header + 24, 8), let size = number(at: header + 32, 8),
      start <= UInt64(bytes.count), size <= UInt64(bytes.count) - start
    else { return nil }
    return bytes[Int(start)..<Int(start + size)]
  }

  /// The offsets of a header table's entries.
  private func table(at field: Int, entrySizeAt size: Int, countAt count: Int) -> [Int] {
    guard let start = number(at: field, 8), let size = number(at: size, 2), let count = number(at: count, 2),
      size > 0, start <= UInt64(bytes.count), size * count <= UInt64(bytes.count) - start
    else { return [] }
    return (0..<Int(count)).map { Int(start) + $0 * Int(size) }
  }

  private func number(at offset: Int, _ width: Int) -> UInt64? {
    guard offset >= 0, offset + width <= bytes.count else { return nil }
    return (0..<width).reduce(0) {
      $0 | UInt64(bytes[offset + $1]) << (8 * UInt64(isBigEndian ? width - 1 - $1 : $1))
    }
  }
}
