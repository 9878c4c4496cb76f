/// An area of swap that is on, as /proc/swaps has it.
struct SwapArea: Equatable {
  /// The device or file, by the name that the kernel has for it.
  let path: String
  /// Pages go to the area of the highest one that has room.
  let priority: Int

  /// Every area.
  static var on: [SwapArea] { all(in: (try? KernelFile.read("/proc/swaps")) ?? "") }

  /// The areas that the text of /proc/swaps lists below its heading.
  static func all(in text: String) -> [SwapArea] {
    text.split(separator: "\n").dropFirst().compactMap { line in
      let columns = line.split { $0 == " " || $0 == "\t" }
      guard let path = columns.first, let priority = columns.last.flatMap({ Int($0) }) else { return nil }
      return SwapArea(path: String(path), priority: priority)
    }
  }

  /// Where pages go: the first of the highest priority.
  static var first: SwapArea? { on.max { $0.priority < $1.priority } }

  /// Whether it is a zram device. Up to which kernel a page that one address has comes back from it past the swap
  /// cache (SWP_SYNCHRONOUS_IO in do_swap_page) is for kpageflags to say.
  var isZram: Bool { path.hasPrefix("/dev/zram") }
}
