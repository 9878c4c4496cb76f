import Glibc

/// Anonymous pages of the machine that are nobody's: in memory or on swap, and not this process's own. One that
/// is left when its owner is gone is a leak.
///
/// Only where nobody else runs, as in a guest, does a difference between two readings mean anything.
struct PageLedger: Sendable, Equatable {
  /// On the lists of anonymous pages (nr_active_anon, nr_inactive_anon, nr_isolated_anon of /proc/vmstat).
  var listed: Int
  /// Slots in use on swap devices (/proc/swaps).
  var swapped: Int
  /// Pages that this process maps (RssAnon), and its swap entries (VmSwap), of /proc/self/status.
  var own: Int

  /// Pages that this process does not account for.
  var unowned: Int { listed + swapped - own }

  /// Whether the counters are of this process alone.
  static var isAlone: Bool { getpid() == 1 }

  /// The counters now, those of all CPUs folded in.
  static func now() throws(KernelError) -> PageLedger {
    // Reading it is what folds them (mm/vmstat.c, vmstat_refresh).
    _ = try? KernelFile.read("/proc/sys/vm/stat_refresh")
    let statistics = try numbers(in: "/proc/vmstat")
    let status = try numbers(in: "/proc/self/status")
    let listed = ["nr_active_anon", "nr_inactive_anon", "nr_isolated_anon"].reduce(0) {
      $0 + (statistics[$1] ?? 0)
    }
    let own = (status["RssAnon:"] ?? 0) + (status["VmSwap:"] ?? 0)
    let swaps = ((try? KernelFile.read("/proc/swaps")) ?? "").split(separator: "\n").dropFirst()
    let used = swaps.reduce(0) { sum, line in
      let words = line.split(whereSeparator: \.isWhitespace)
      return sum + (words.count > 3 ? Int(words[3]) ?? 0 : 0)
    }
    let kilobytes = kernelPageSize >> 10
    return PageLedger(listed: listed, swapped: used / kilobytes, own: own / kilobytes)
  }

  /// The first number of each line, by the line's first word.
  private static func numbers(in path: String) throws(KernelError) -> [Substring: Int] {
    let text = try KernelFile.read(path)
    var numbers: [Substring: Int] = [:]
    for line in text.split(separator: "\n") {
      let words = line.split(whereSeparator: \.isWhitespace)
      if words.count > 1, let number = Int(words[1]) { numbers[words[0]] = number }
    }
    return numbers
  }
}
