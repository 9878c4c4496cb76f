import Glibc
import SystemPackage

/// A configuration appended to the one-shot executable, so that one file is a whole reproducer.
/// ```
///  | ELF executable | text | length 8 | checksum 8 | version 4 | zero 4 | magic 8 |
///                          |<------------------ footer, 32 bytes ---------------->|
/// ```
/// Numbers are little-endian. An executable without a seal ends where its ELF headers say; anything
/// after that must be a whole seal, so a file that was cut or edited is refused, not run differently.
/// The checksum finds accidents, not forgers.
public enum Seal {
  static let footerLength = 32
  private static let version: UInt32 = 1
  private static let magic = [UInt8]("REPROSL\u{1a}".utf8)
  /// No sealed text is longer; a length beyond it is damage.
  private static let longest = 1 << 20

  /// What is to be appended to an executable to seal `text` into it.
  public static func trailer(_ text: String) -> [UInt8] {
    let payload = [UInt8](text.utf8)
    return payload + little(UInt64(payload.count)) + little(FNV1a.hash(payload)) + little(version)
      + little(UInt32(0)) + magic
  }

  /// The text sealed into the executable at `path`; nil for one without a seal.
  /// - Throws: SealError when what follows the executable is no whole seal.
  public static func text(of path: String) throws(SealError) -> String? {
    let file: FileDescriptor
    do {
      file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
    } catch {
      throw .unreadable("\(path): \(error)")
    }
    defer { try? file.close() }
    let size = (try? file.seek(offset: 0, from: .end)) ?? 0
    let end = try executableEnd(Int(size)) { offset, count throws(SealError) in
      try read(file, offset, count)
    }
    if Int(size) == end { return nil }
    return try text(inTrailer: try read(file, end, min(Int(size) - end, longest + footerLength + 1)))
  }

  /// The sealed text of everything that follows an executable.
  static func text(inTrailer trailer: [UInt8]) throws(SealError) -> String {
    guard trailer.count >= footerLength, trailer.count <= longest + footerLength else {
      throw .damaged("\(trailer.count) bytes follow the executable, which is no seal")
    }
    let payload = Array(trailer.dropLast(footerLength))
    let footer = Array(trailer.suffix(footerLength))
    guard Array(footer.suffix(8)) == magic else { throw .damaged("the seal's end mark is missing") }
    guard footer[20..<24].allSatisfy({ $0 == 0 }) else { throw .damaged("the seal's footer is not its own") }
    let foundVersion = number(footer[16..<20])
    guard foundVersion == UInt64(version) else {
      throw .damaged("the seal has version \(foundVersion), this executable reads \(version)")
    }
    guard number(footer[0..<8]) == UInt64(payload.count) else {
      throw .damaged("the seal's length does not match the file")
    }
    guard number(footer[8..<16]) == FNV1a.hash(payload) else {
      throw .damaged("the sealed text does not match its checksum")
    }
    guard let text = String(validating: payload, as: UTF8.self) else {
      throw .damaged("the sealed text is not UTF-8")
    }
    return text
  }

  /// Where the file's ELF part ends (elf(5)): the last byte that its headers speak of.
  static func executableEnd(
    _ size: Int, read: (_ offset: Int, _ count: Int) throws(SealError) -> [UInt8]
  ) throws(SealError) -> Int {
    let header = try read(0, 64)
    guard header[0..<6] == [0x7f, 0x45, 0x4c, 0x46, 2, 1] else {
      throw .damaged("the file is no 64-bit ELF executable")
    }
    func field(_ at: Int, _ count: Int) -> UInt64 { number(header[at..<at + count]) }
    func table(_ offset: Int, _ entry: Int, _ count: Int) -> UInt64? {
      let (end, overflow) = field(offset, 8).addingReportingOverflow(field(entry, 2) * field(count, 2))
      return overflow ? nil : end
    }
    guard let sections = table(0x28, 0x3a, 0x3c), let segments = table(0x20, 0x36, 0x38),
      sections <= UInt64(size), segments <= UInt64(size)
    else { throw .damaged("the executable is cut off") }
    var end = max(sections, segments)
    for index in 0..<Int(field(0x38, 2)) {
      let entry = try read(Int(field(0x20, 8)) + index * Int(field(0x36, 2)), 56)
      let (last, overflow) = number(entry[8..<16]).addingReportingOverflow(number(entry[32..<40]))
      guard !overflow, last <= UInt64(size) else { throw .damaged("the executable is cut off") }
      end = max(end, last)
    }
    return Int(end)
  }

  private static func read(_ file: FileDescriptor, _ offset: Int, _ count: Int) throws(SealError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let read = bytes.withUnsafeMutableBytes { buffer in
      try? file.read(fromAbsoluteOffset: Int64(offset), into: buffer)
    }
    guard read == count else { throw .damaged("the file is cut off") }
    return bytes
  }

  private static func little(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// Why an executable's seal is refused.
public enum SealError: Error, Equatable, CustomStringConvertible {
  /// The executable can't be read.
  case unreadable(String)
  /// What follows the executable is no whole seal.
  case damaged(String)

  /// One line.
  public var description: String {
    switch self {
    case .unreadable(let reason): "\(reason); the file must be readable to find what is sealed into it"
    case .damaged(let reason): "\(reason); get the file again, nothing was run"
    }
  }
}
