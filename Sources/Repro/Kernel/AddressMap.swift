/// What /proc/self/smaps says of mappings (proc_pid_smaps(5)).
enum AddressMap {
  /// Bytes of the mappings within `length` bytes from `start` that are transparent huge pages mapped by
  /// PMDs: AnonHugePages.
  static func bytes(mappedByPMD start: UnsafeRawPointer, _ length: Int) throws(KernelError) -> Int {
    let wanted = UInt(bitPattern: start)..<UInt(bitPattern: start) + UInt(length)
    var isWanted = false
    var bytes = 0
    for line in try KernelFile.read("/proc/self/smaps").utf8.split(separator: 10) {
      // A mapping's first line begins with its addresses in hex, the others with a name.
      if let dash = line.firstIndex(of: 45), let from = UInt(String(line[..<dash]) ?? "", radix: 16) {
        isWanted = wanted.contains(from)
      } else if isWanted, line.starts(with: "AnonHugePages:".utf8) {
        let words = line.split(separator: 32)
        bytes += (words.count > 1 ? Int(String(words[1]) ?? "") ?? 0 : 0) << 10
      }
    }
    return bytes
  }
}
