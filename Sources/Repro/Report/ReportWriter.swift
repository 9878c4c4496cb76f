import CKernel
import Glibc
import Synchronization

/// Writes a run's report as it happens, and progress to the terminal if there is one.
///
/// Trials in brief, of which there are many in full before, wait for each other on a tray that a thread of its own
/// empties on whatever CPU is idle: to tell one takes an emulated machine half as long as a fork, which is what a
/// race waits for.
public final class ReportWriter: Observer {
  private let desk: Desk
  private let showsProgress: Bool
  private let start = Clock.now
  private var lastProgress: Nanoseconds = 0
  private var teller: Worker<Void, Void>?
  private let closing = Gate()

  /// Nanoseconds that brief trials wait for others.
  private static let wait = Clock.milliseconds(100)
  /// Trials on the tray with which it is full.
  private static let room = 10_000

  /// Why some of the report could not be written.
  public var failure: KernelError? { desk.failure }

  /// - Parameters:
  ///   - output: where the report goes; stays open.
  ///   - showsProgress: whether progress is shown on standard error.
  public init(_ report: sending any Report, output: CInt, showsProgress: Bool = isatty(STDERR_FILENO) == 1) {
    self.showsProgress = showsProgress
    desk = Desk(report, output, paints: report is HumanReport && TerminalColour.suits(output))
  }

  deinit {
    closing.advance()
    teller?.stop()
    flush()
  }

  /// Writes the event's lines at once, since a kernel may crash after it; but for trials in brief.
  public func receive(_ event: Event) {
    guard case .trial(let record) = event, record.isBrief else { return desk.write(event) }
    let waiting = desk.put(event)
    if waiting == 1 { tellSoon() }
    if waiting >= Self.room { flush() }
  }

  /// Writes what waits.
  func flush() { desk.clear() }

  private func tellSoon() {
    if teller == nil {
      let (desk, closing) = (desk, closing)
      teller = try? Worker {
        () throws(KernelError) in
        // The trial's thread may be bound to a CPU, and this one is not to take it from anybody.
        _ = ck_leave_cpu()
        ck_be_last()
      } work: { _, _ in
        _ = closing.wait(until: 1, timeout: Self.wait)
        desk.clear()
      }
    }
    guard let teller else { return flush() }
    teller.start(())
  }

  /// Shows the case, the part done and the time left, at most ten times a second.
  public func progress(fraction: Double, case name: CaseName) {
    let now = Clock.now
    guard showsProgress, now - lastProgress > Clock.milliseconds(100) else { return }
    lastProgress = now
    let elapsed = Double(now - start) / 1e9
    let left = fraction > 0.01 ? elapsed * (1 - fraction) / fraction : nil
    let text = "\((100 * fraction).fixed(0)) %  \(name)" + (left.map { "  \($0.fixed(0)) s left" } ?? "")
    desk.show("\r\u{1b}[K\(text)")
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

/// Where lines are made and written, by one thread at a time, and the tray of what is still to be told.
private final class Desk: Sendable {
  private struct Sheet {
    var report: any Report
    var hasProgressLine = false
    var failure: KernelError?
  }

  private let sheet: Mutex<Sheet>
  private let tray = Mutex<[Event]>([])
  private let output: CInt
  private let paints: Bool

  init(_ report: sending any Report, _ output: CInt, paints: Bool) {
    sheet = Mutex(Sheet(report: report))
    self.output = output
    self.paints = paints
  }

  var failure: KernelError? { sheet.withLock { $0.failure } }

  /// Puts an event on the tray.
  /// - Returns: how many are there now.
  func put(_ event: Event) -> Int {
    tray.withLock {
      $0.append(event)
      return $0.count
    }
  }

  /// Writes what is on the tray.
  func clear() { write(nil) }

  /// Writes what is on the tray, and then `event`.
  func write(_ event: Event?) {
    sheet.withLock { sheet in
      // Taken by who writes next, so that nothing overtakes it.
      var events = tray.withLock { tray in
        defer { tray = [] }
        return tray
      }
      if let event { events.append(event) }
      var text = ""
      for event in events {
        let lines = sheet.report.lines(for: event)
        for line in paints ? lines.map(TerminalColour.paint) : lines { text += line + "\n" }
      }
      if text.isEmpty { return }
      if sheet.hasProgressLine { ReportWriter.write("\r\u{1b}[K", to: STDERR_FILENO) }
      sheet.hasProgressLine = false
      let error = ReportWriter.write(text, to: output)
      sheet.failure = sheet.failure ?? error
    }
  }

  /// Writes a line of progress, which the next lines replace.
  func show(_ progress: String) {
    sheet.withLock {
      ReportWriter.write(progress, to: STDERR_FILENO)
      $0.hasProgressLine = true
    }
  }
}
