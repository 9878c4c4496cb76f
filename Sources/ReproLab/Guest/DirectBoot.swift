import Foundation
import Repro

/// The ELF file in a bzImage, for QEMU to start without what stands before it.
///
///     -kernel bzImage   firmware, then the kernel's own decompressor, then the kernel
///     -kernel vmlinux   firmware, then the kernel, at the entry that its PVH note names
///
/// The code and data are the same ones. Emulated, the decompressor takes up to a third of a boot; and as it is what
/// moves a kernel to a random address, one that is started directly runs where it was linked.
enum DirectBoot {
  /// The first with an entry that asks nothing of Xen (arch/x86/platform/pvh, CONFIG_PVH); before, the note was there
  /// too, and the kernel died of it.
  private static let first = KernelVersion(5, 0)

  /// Puts the file into `folder`, for which it has 50 to 70 MiB on a stock kernel.
  /// - Returns: its path; nil where the kernel has no such entry, or nothing here can decompress it.
  static func prepare(_ kernel: Kernel, in folder: ScratchFolder) async -> String? {
    let path = folder.appending("vmlinux")
    guard let version = KernelVersion(release: kernel.release), version >= first,
      let image = mapped(kernel.image),
      let payload = (try? KernelImage(bytes: image, name: kernel.image))?.payload,
      await decompress(image[payload], to: path, in: folder), let elf = mapped(path),
      ELFFile([UInt8](elf))?.hasPVHEntry == true
    else {
      unlink(path)
      return nil
    }
    return path
  }

  private static func mapped(_ path: String) -> Data? {
    try? Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
  }

  /// What compresses kernels (arch/x86/boot/compressed/Makefile), and the first bytes it writes.
  private static let compressors: [(magic: [UInt8], suffix: String, tool: HostTool)] = [
    ([0x1f, 0x8b], "gz", .gzip), ([0x28, 0xb5, 0x2f, 0xfd], "zst", .zstd),
    ([0x02, 0x21, 0x4c, 0x18], "lz4", HostTool(name: "lz4", package: "lz4")),
    ([0xfd, 0x37, 0x7a, 0x58, 0x5a], "xz", .xz), ([0x5d, 0, 0], "lzma", .xz),
    ([0x42, 0x5a, 0x68], "bz2", HostTool(name: "bzip2", package: "bzip2")),
    ([0x89, 0x4c, 0x5a, 0x4f], "lzo", HostTool(name: "lzop", package: "lzop")),
  ]

  /// The payload ends with its size when decompressed, in four bytes, which only gzip has of itself.
  private static func decompress(_ payload: Data, to path: String, in folder: ScratchFolder) async -> Bool {
    guard payload.count > 4,
      let (magic, suffix, tool) = compressors.first(where: { payload.starts(with: $0.magic) })
    else { return false }
    let compressed = folder.appending("payload.\(suffix)")
    defer { unlink(compressed) }
    let isGzip = magic == compressors[0].magic
    guard (try? payload.dropLast(isGzip ? 0 : 4).write(to: URL(fileURLWithPath: compressed))) != nil,
      await tool.succeeds(["-dc", compressed], printingTo: path)
    else { return false }
    var about = stat()
    let size = payload.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    return stat(path, &about) == 0 && Int(about.st_size) == size
  }
}
