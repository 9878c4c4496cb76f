/// The machine's NUMA nodes.
enum NUMANodes {
  /// The numbers of the nodes that have memory, ascending; nil without NUMA support.
  static var withMemory: [Int]? {
    guard let text = try? KernelFile.read("/sys/devices/system/node/has_memory") else { return nil }
    return parse(text)
  }

  /// The CPUs of a node, ascending.
  static func cpus(of node: Int) -> [Int] {
    parse((try? KernelFile.read("/sys/devices/system/node/node\(node)/cpulist")) ?? "")
  }

  /// Reads a list of ranges: `0-1,3`.
  static func parse(_ text: String) -> [Int] {
    text.split(separator: ",").flatMap { part -> [Int] in
      let ends = part.split(separator: "-").compactMap { Int($0) }
      guard let first = ends.first, let last = ends.last, first <= last else { return [] }
      return Array(first...last)
    }
  }
}
