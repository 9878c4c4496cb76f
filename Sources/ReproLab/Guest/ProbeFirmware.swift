/// A firmware of some instructions that makes QEMU exit with a status of its own: proof that a processor runs.
///
/// It does a little of all that makes a kernel slow where virtualisation is nested or faked: it changes mode, has
/// 15 MiB of memory mapped page by page, and leaves the guest a thousand times. That is milliseconds of work.
enum ProbeFirmware {
  /// The image: the code at the start of the segment at F000:0000, and a jump to it at the reset vector.
  static let image: [UInt8] = {
    var image = [UInt8](repeating: 0xf4, count: 1 << 16)
    image.replaceSubrange(0..<code.count, with: code)
    image.replaceSubrange(0xfff0..<0xfff3, with: [0xe9, 0x0d, 0x00])
    return image
  }()

  /// The devices that the firmware talks to.
  static let options = ["-m", "64M", "-device", "isa-debug-exit,iobase=0xf4,iosize=1"]

  /// What QEMU exits with: the debug device makes `(0x21 << 1) | 1` of the byte written to it.
  static let status = 0x43

  private static let code: [UInt8] = [
    0xfa,  // cli
    0x2e, 0x66, 0x0f, 0x01, 0x16, 0x60, 0x00,  // lgdtl %cs:0x60
    0x0f, 0x20, 0xc0,  // mov %cr0, %eax
    0x0c, 0x01,  // or $1, %al
    0x0f, 0x22, 0xc0,  // mov %eax, %cr0
    0x66, 0xea, 0x18, 0x00, 0x0f, 0x00, 0x08, 0x00,  // ljmpl $8, $0xf0018: 32 bits from here
    0x66, 0xb8, 0x10, 0x00,  // mov $0x10, %ax
    0x8e, 0xd8,  // mov %ax, %ds
    0xbf, 0x00, 0x00, 0x10, 0x00,  // mov $0x100000, %edi
    0x89, 0x3f,  // 1: mov %edi, (%edi)
    0x81, 0xc7, 0x00, 0x10, 0x00, 0x00,  // add $0x1000, %edi
    0x81, 0xff, 0x00, 0x00, 0x00, 0x01,  // cmp $0x1000000, %edi
    0x72, 0xf0,  // jb 1b
    0xb9, 0xe8, 0x03, 0x00, 0x00,  // mov $1000, %ecx
    0xe6, 0x80,  // 2: out %al, $0x80
    0x49,  // dec %ecx
    0x75, 0xfb,  // jne 2b
    0xb0, 0x21,  // mov $0x21, %al
    0xe6, 0xf4,  // out %al, $0xf4
    0xf4,  // hlt
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
    0, 0, 0, 0, 0, 0, 0, 0,  // 0x48: the descriptors: null,
    0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0,  // flat code,
    0xff, 0xff, 0, 0, 0, 0x92, 0xcf, 0,  // flat data
    0x17, 0x00, 0x48, 0x00, 0x0f, 0x00,  // 0x60: their limit and address
  ]
}
