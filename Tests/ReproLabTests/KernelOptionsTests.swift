import Foundation
import Testing

@testable import ReproLab

@Suite("Kernel options")
struct KernelOptionsTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    .standardized

  private static let listed = Set(KernelOptions.boot + KernelOptions.parts.map(\.option))

  @Test("are in docs/developer.md as they are here, in its two lists")
  func readme() throws {
    let text = try String(contentsOf: Self.root.appending(path: "docs/developer.md"), encoding: .utf8)
    let start = try #require(text.range(of: "A kernel that you build needs at least: `"))
    let lists = text[start.upperBound...].split(separator: "`", maxSplits: 3).map { list in
      list.split(whereSeparator: \.isWhitespace).map(String.init)
    }
    #expect(lists.count == 4)
    #expect(lists[0] == KernelOptions.boot)
    #expect(lists[2] == KernelOptions.parts.map(\.option))
  }

  @Test("have all that a part's message asks for")
  func needs() throws {
    // A way round, for a machine with one node, where guests have two; and what an architecture has or not.
    let others: Set = ["NUMA_EMU", "HAVE_ARCH_USERFAULTFD_WP"]
    let folder = Self.root.appending(path: "Sources/Repro")
    let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
    var found: Set<String> = []
    while let file = files?.nextObject() as? URL {
      guard file.pathExtension == "swift", let text = try? String(contentsOf: file, encoding: .utf8) else {
        continue
      }
      for option in text.matches(of: /CONFIG_([A-Z0-9_]+)/).map({ String($0.output.1) }) {
        found.insert(option)
        #expect(
          Self.listed.contains(option) || others.contains(option),
          "\(file.lastPathComponent): CONFIG_\(option) is not in KernelOptions")
      }
    }
    #expect(found.contains("MEM_SOFT_DIRTY") && found.count > 8)
  }

  @Test("are each listed once, with what they themselves need")
  func consistent() {
    #expect(Self.listed.count == KernelOptions.boot.count + KernelOptions.parts.count)
    // What depends on what in the kernel's Kconfig files.
    for (option, needed) in [
      ("MEM_SOFT_DIRTY", "CHECKPOINT_RESTORE"),
      ("SERIAL_8250_CONSOLE", "SERIAL_8250"), ("SERIAL_8250", "TTY"), ("VIRTIO_PCI", "PCI"),
      ("NUMA", "SMP"), ("MEM_SOFT_DIRTY", "PROC_FS"), ("MEMFD_CREATE", "TMPFS"),
    ] where Self.listed.contains(option) {
      #expect(Self.listed.contains(needed), "\(option) needs \(needed)")
    }
    for name in Self.listed { #expect(KernelOptions.text.contains(name)) }
  }
}
