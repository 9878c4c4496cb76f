import Glibc

/// Writes a run's report as it happens, and progress to the terminal if there is one.
public final class ReportWriter: Observer {
  private var report: any Report
  private let output: CInt
  private let showsProgress: Bool
  private let paints: Bool
  private let start = Clock.now
  private var lastProgress: Nanoseconds = 0
  private var hasProgressLine = false
  /// Brief trials' lines that are still to be written, and when the last ones were.
  private var pending = ""
  private var lastWrite: Nanoseconds = 0
  /// Nanoseconds that they wait for others, at most: in a guest writing one takes as long as a fork.
  private static let wait = Clock.milliseconds(100)

  /// Why some of the report could not be written.
  public private(set) var failure: KernelError?

  /// - Parameters:
  ///   - output: where the report goes; stays open.
  ///   - showsProgress: whether progress is shown on standard error.
  public init(_ report: any Report, output: CInt, showsProgress: Bool = isatty(STDERR_FILENO) == 1) {
    self.report = report
    self.output = output
    self.showsProgress = showsProgress
    paints = report is HumanReport && TerminalColour.suits(output)
  }

  deinit { flush() }

  /// Writes the event's lines at once, since a kernel may crash after it; but for trials in brief, of which there are
  /// many in full before, and which wait for each other.
  public func receive(_ event: Event) {
    let plain = report.lines(for: event)
    let lines = paints ? plain.map(TerminalColour.paint) : plain
    guard !lines.isEmpty else { return }
    pending += lines.joined(separator: "\n") + "\n"
    if case .trial(let record) = event, record.isBrief, Clock.now - lastWrite < Self.wait { return }
    flush()
  }

  /// Writes what waits.
  func flush() {
    if pending.isEmpty { return }
    clearProgress()
    let error = Self.write(pending, to: output)
    failure = failure ?? error
    pending = ""
    lastWrite = Clock.now
  }

  /// Shows the case, the part done and the time left, at most ten times a second.
  public func progress(fraction: Double, case name: CaseName) {
    let now = Clock.now
    guard showsProgress, now - lastProgress > Clock.milliseconds(100) else { return }
    lastProgress = now
    let elapsed = Double(now - start) / 1e9
    let left = fraction > 0.01 ? elapsed * (1 - fraction) / fraction : nil
    let text = "\((100 * fraction).fixed(0)) %  \(name)" + (left.map { "  \($0.fixed(0)) s left" } ?? "")
    Self.write("\r\u{1b}[K\(text)", to: STDERR_FILENO)
    hasProgressLine = true
  }

  private func clearProgress() {
    if hasProgressLine { Self.write("\r\u{1b}[K", to: STDERR_FILENO) }
    hasProgressLine = false
  }

  /// Writes all of `text`.
  /// - Returns: why not all of it could be written.
  @discardableResult
  public static func write(_ text: String, to descriptor: CInt) -> KernelError? {
    var text = text
    return text.withUTF8 { write(UnsafeRawBufferPointer($0), to: descriptor) }
  }

  /// Writes all of `bytes`.
  /// - Returns: why not all of them could be written.
  package static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt) -> KernelError? {
    var rest = bytes
    while !rest.isEmpty {
      let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { return KernelError.last("write the report") }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    return nil
  }
}
