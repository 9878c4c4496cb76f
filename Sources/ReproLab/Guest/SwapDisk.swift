/// A disk that any kernel takes for swap as it is: no program of the guest has to make one.
///
/// The header stands at byte 1024, and kernels of the other byte order turn it round; the signature ends the first
/// page, so it stands at the end of each size that a page may have. What lies behind the first page is the
/// kernel's to overwrite.
enum SwapDisk {
  /// Bytes of the disk, all but the first of which are a hole in its file. How many pages there are is the header's to
  /// say, so that with the smallest pages 32 MiB of it are used.
  ///
  /// Swap that is more than half full makes the kernel free a page's place on swap when the page comes back
  /// (include/linux/swap.h, vm_swap_full): it is dirty then, and in the swap cache no more. A disk of 64 MiB was too
  /// small for arm64 with pages of 16 KiB on 6.12, after the cases with huge pages of 32 MiB.
  static let size = 512 << 20
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
