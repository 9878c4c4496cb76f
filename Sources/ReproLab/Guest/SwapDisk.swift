/// A disk that any kernel takes for swap as it is: no program of the guest has to make one.
///
/// The header stands at byte 1024, and kernels of the other byte order turn it round; the signature ends the first
/// page, so it stands at the end of each size that a page may have. What lies behind the first page is the
/// kernel's to overwrite.
enum SwapDisk {
  /// Bytes of the disk.
  static let size = 64 << 20
  private static let pageSizes = [4096, 16384, 65536]

  /// The first bytes of the disk; the rest are zeros.
  static let header: [UInt8] = {
    var bytes = [UInt8](repeating: 0, count: 65536)
    let largest = pageSizes.max() ?? 4096
    let words: [UInt32] = [1, UInt32(size / largest - 1), 0]  // version, last page, bad pages
    for (index, word) in words.enumerated() {
      withUnsafeBytes(of: word.littleEndian) {
        bytes.replaceSubrange((1024 + 4 * index)..<(1028 + 4 * index), with: $0)
      }
    }
    for size in pageSizes { bytes.replaceSubrange((size - 10)..<size, with: Array("SWAPSPACE2".utf8)) }
    return bytes
  }()
}
