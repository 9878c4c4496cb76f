/// ELF files made up for tests: just enough header for what the lab reads.
enum FakeELF {
  /// A relocatable file with one `.modinfo` section.
  static func module(info: [String]) -> [UInt8] {
    let names = Array("\0.modinfo\0.shstrtab\0".utf8)
    let text: [UInt8] = info.flatMap { (entry: String) -> [UInt8] in Array(entry.utf8) + [0] }
    let sections = 64 + names.count + text.count
    var bytes = header(kind: 1, programs: 0, sectionsAt: sections, sections: 3, names: 2)
    bytes += names + text
    bytes += [UInt8](repeating: 0, count: 64)
    bytes += section(name: 1, offset: 64 + names.count, size: text.count)
    bytes += section(name: 10, offset: 64, size: names.count)
    return bytes
  }

  /// An executable with one program header.
  static func executable(interpreter: Bool) -> [UInt8] {
    var bytes = header(kind: 2, programs: 1, sectionsAt: 0, sections: 0, names: 0)
    bytes += little(interpreter ? 3 : 1, 4) + [UInt8](repeating: 0, count: 52)
    return bytes
  }

  /// A kernel with notes of these owners and types, each with four bytes of description.
  static func kernel(notes: [(owner: String, type: Int)]) -> [UInt8] {
    let texts = notes.flatMap { note in
      let owner = Array(note.owner.utf8) + [0]
      return little(owner.count, 4) + little(4, 4) + little(note.type, 4) + owner
        + [UInt8](repeating: 0, count: -owner.count & 3) + [1, 2, 3, 4]
    }
    return header(kind: 2, programs: 1, sectionsAt: 0, sections: 0, names: 0) + little(4, 8) + little(120, 8)
      + little(0, 16) + little(texts.count, 8) + little(texts.count, 8) + little(4, 8) + texts
  }

  private static func header(
    kind: Int, programs: Int, sectionsAt: Int, sections: Int, names: Int
  ) -> [UInt8] {
    [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
      + little(kind, 2) + little(62, 2) + little(1, 4) + little(0, 8)
      + little(programs == 0 ? 0 : 64, 8) + little(sectionsAt, 8) + little(0, 4) + little(64, 2)
      + little(56, 2) + little(programs, 2) + little(64, 2) + little(sections, 2) + little(names, 2)
  }

  private static func section(name: Int, offset: Int, size: Int) -> [UInt8] {
    little(name, 4) + little(1, 4) + little(0, 16) + little(offset, 8) + little(size, 8) + little(0, 24)
  }

  private static func little(_ value: Int, _ width: Int) -> [UInt8] {
    (0..<width).map { $0 < 8 ? UInt8(truncatingIfNeeded: value >> (8 * $0)) : 0 }
  }
}
