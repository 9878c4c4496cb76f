/// A complaint that the kernel printed: a WARN, a BUG, an oops, a panic, with the lines that belong to it.
public struct ConsoleReport: Sendable, Equatable {
  /// How bad it is.
  public enum Kind: Sendable, Equatable {
    /// `Kernel panic - not syncing`.
    case panic
    /// An oops or BUG(): the current task can't go on, and with `oops=panic` the guest ends.
    case oops
    /// WARN, lockdep, KASAN, soft lockups, hung tasks, bad pages: the kernel goes on.
    case warning
  }

  /// How bad it is.
  public let kind: Kind
  /// The lines without time stamps, from the headline to the end of the trace.
  public let lines: [String]

  /// The line that names the complaint.
  public var headline: String { lines.first ?? "" }

  /// Whether the guest did not survive it.
  public var isFatal: Bool { kind != .warning }

  /// A trace longer than this is cut.
  private static let longest = 80

  /// All complaints of a console, in order.
  ///
  /// A complaint lasts until its `---[ end` mark, until the next one begins, or, without a mark, while lines keep
  /// looking like a trace.
  static func all(in console: String) -> [ConsoleReport] {
    var reports: [ConsoleReport] = []
    var isOpen = false
    var prelude: [String]?
    for line in messages(in: console) {
      if line.hasPrefix("------------[ cut here ]") {
        prelude = []
        isOpen = false
      } else if let kind = kind(of: line) {
        // "BUG: unable to handle...", "#PF: ...", "Oops: ..." are one complaint in several headlines.
        if isOpen, kind == .oops, reports.last?.kind == .oops {
          reports[reports.count - 1] = reports[reports.count - 1].adding(line)
        } else {
          reports.append(ConsoleReport(kind: kind, lines: [line] + (prelude ?? [])))
        }
        isOpen = true
        prelude = nil
      } else if isOpen, let last = reports.last {
        let isEnd = line.hasPrefix("---[ end")
        if isEnd || isTrace(line) { reports[reports.count - 1] = last.adding(line) }
        isOpen = !isEnd && isTrace(line) && last.lines.count < longest
      } else if let lines = prelude {
        // WARN(condition, message) prints its message between the mark and the headline.
        prelude = lines.count < 4 ? lines + [line] : nil
      }
    }
    return reports
  }

  private func adding(_ line: String) -> ConsoleReport { ConsoleReport(kind: kind, lines: lines + [line]) }

  /// The lines of a console without what printk puts before them: `[    1.234567][    T1] `.
  static func messages(in console: String) -> [String] {
    console.split(whereSeparator: \.isNewline).map { line in
      var rest = line.drop { $0 == "\r" }
      while rest.first == "[", let end = rest.firstIndex(of: "]"), !rest.hasPrefix("[<") {
        rest = rest[end...].dropFirst()
      }
      return String(rest.drop { $0 == " " }.isEmpty ? "" : rest.dropFirst(rest.first == " " ? 1 : 0))
    }
  }

  private static func kind(of line: String) -> Kind? {
    if line.hasPrefix("Kernel panic - not syncing") { return .panic }
    let oopses = [
      "BUG: kernel NULL pointer dereference", "BUG: unable to handle", "kernel BUG at",
      "general protection fault",
      "Oops:", "Oops ", "Internal error: ", "Unable to handle kernel", "invalid opcode:", "int3:",
      "stack segment:", "divide error:", "double fault:",
    ]
    if oopses.contains(where: line.hasPrefix) { return .oops }
    let warnings = ["WARNING:", "BUG:", "INFO: task ", "INFO: rcu", "rcu: INFO:", "UBSAN:", "watchdog: BUG:"]
    return warnings.contains(where: line.hasPrefix) ? .warning : nil
  }

  private static func isTrace(_ line: String) -> Bool {
    let words = [
      "#PF:", "PGD ", "Modules linked in", "CPU:", "Hardware name:", "RIP:", "RSP:", "Code:", "Call Trace:",
      "RAX:", "RDX:", "RBP:", "R10:", "R13:", "FS:", "CS:", "CR2:", "DR0:", "DR3:", "PKRU:", "irq event",
      "hardirqs", "softirqs", "Workqueue:", "page:", "flags:", "raw:", "head:", "page dumped", "Tainted:",
      "<TASK>", "</TASK>", "<IRQ>", "</IRQ>", "Kernel Offset:", "task:", "Sending NMI", "NMI backtrace",
      "SMP ", "PREEMPT", "aops:", "page_type:", "page_owner", "pgoff", "addr:", "file:", "Kernel panic",
    ]
    let text = line.drop { $0 == " " }
    return line.hasPrefix(" ") || text.isEmpty || words.contains(where: text.hasPrefix)
  }
}
