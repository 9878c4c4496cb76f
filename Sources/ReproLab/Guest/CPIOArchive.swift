/// An uncompressed cpio archive in the "newc" format, as the kernel unpacks it into its first root.
///
/// Every entry is a header of 110 ASCII characters (magic and 13 fields of 8 hexadecimal digits), the name with
/// its zero, and the contents; name and contents are each padded to a multiple of four.
struct CPIOArchive: Sendable {
  private(set) var bytes: [UInt8]
  private var inode: Int

  /// An empty archive.
  init() { (bytes, inode) = ([], 0) }

  /// An archive that goes on after the entries of another.
  init(after entries: [UInt8]) { (bytes, inode) = (entries, entries.count) }

  /// What an entry is, in the terms of `st_mode`.
  enum Kind: Sendable {
    case file([UInt8])
    case folder
    case character(major: Int, minor: Int)

    var mode: Int {
      switch self {
      case .file: 0o100000
      case .folder: 0o040000
      case .character: 0o020000
      }
    }
  }

  /// Adds an entry; a folder must precede what is in it.
  mutating func add(_ name: String, _ kind: Kind, permissions: Int) {
    var contents: [UInt8] = []
    var device = (major: 0, minor: 0)
    switch kind {
    case .file(let bytes): contents = bytes
    case .folder: break
    case .character(let major, let minor): device = (major, minor)
    }
    inode += 1
    let links = if case .folder = kind { 2 } else { 1 }
    append(
      name: name,
      fields: [
        inode, kind.mode | permissions, 0, 0, links, 0, contents.count, 0, 0, device.major, device.minor,
        name.utf8.count + 1, 0,
      ])
    bytes += contents
    pad()
  }

  /// The archive as it is written: the entries and the trailer.
  func finished() -> [UInt8] {
    var archive = self
    archive.append(name: "TRAILER!!!", fields: [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 11, 0])
    return archive.bytes
  }

  private mutating func append(name: String, fields: [Int]) {
    bytes += Array("070701".utf8)
    for field in fields {
      let digits = String(UInt32(field), radix: 16, uppercase: true)
      bytes += Array((String(repeating: "0", count: 8 - digits.count) + digits).utf8)
    }
    bytes += Array(name.utf8) + [0]
    pad()
  }

  private mutating func pad() {
    bytes += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
  }
}
