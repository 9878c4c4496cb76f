import Foundation
import Glibc
import Repro

/// All that is known of a guest once it is gone; how it ended is decided from this alone.
struct GuestEvidence: Sendable {
  /// How QEMU ended.
  enum Exit: Sendable, Equatable {
    case exited(Int)
    case signalled(Int)
  }

  /// What the watchdog found before it killed QEMU.
  enum Watchdog: Sendable, Equatable {
    case timeout
    case silence
  }

  /// The first serial port: what the kernel printed.
  var console = ""
  /// The second serial port, line by line.
  var lines: [String] = []
  /// What QEMU itself said.
  var messages = ""
  var exit = Exit.exited(0)
  var watchdog: Watchdog?
}

/// How a guest ended.
public enum GuestEnding: Sendable, Equatable {
  /// It reported its final status.
  case finished(status: Int)
  /// The kernel panicked after /init had been started.
  case panic(lines: [String])
  /// The kernel hit an oops or BUG, and was told to end there.
  case oops(lines: [String])
  /// The program in the guest ended though it is process 1: the harness failed, not the kernel.
  case initDied(code: Int, lines: [String])
  /// The guest powered off without a final status.
  case unreported(tail: [String])
  /// The watchdog killed it: no sign of life, or not done in time.
  case hung(silent: Bool, tail: [String])
  /// The kernel never started /init.
  case noBoot(NoBoot)
  /// There is no QEMU.
  case qemuMissing(name: String, package: String)
  /// QEMU refused to run the guest.
  case qemuFailed(message: String)
  /// Its program is of another build than this one, and was ended before it ran any case.
  case otherBuild(executable: String)
  /// QEMU was ended by a signal from outside.
  case killed(signal: Int)

  /// What kept a kernel from starting /init.
  public enum NoBoot: Sendable, Equatable {
    /// QEMU does not take the file for a kernel.
    case badImage(message: String)
    /// The kernel panicked on its way.
    case panic(lines: [String])
    /// Not one line came from it.
    case noConsoleOutput
    /// It printed something, but ended or stopped before /init.
    case stopped(tail: [String])
  }

  /// How many of a console's last lines are shown.
  private static let tailLength = 12

  /// Decides how a guest ended.
  ///
  /// What the kernel says of itself counts most: a status that was reported before a panic is no success. Then the
  /// reported status, then the watchdog, then how QEMU ended.
  init(_ evidence: GuestEvidence) {
    let reports = ConsoleReport.all(in: evidence.console)
    let messages = ConsoleReport.messages(in: evidence.console).filter { !$0.isEmpty }
    let tail = Array(messages.suffix(Self.tailLength))
    let hasStarted =
      !evidence.lines.isEmpty
      || messages.contains { $0.hasPrefix("Run ") && $0.hasSuffix(" as init process") }
    let initFailed = messages.contains { $0.hasPrefix("Failed to execute /init") }

    if let panic = reports.first(where: { $0.kind == .panic }) {
      let oops = reports.first { $0.kind == .oops }
      if !hasStarted || initFailed {
        self = .noBoot(.panic(lines: oops?.lines ?? panic.lines))
      } else if let code = Self.codeOfDeadInit(panic.headline) {
        self = .initDied(code: code, lines: panic.lines)
      } else if let oops {
        self = .oops(lines: oops.lines)
      } else {
        self = .panic(lines: panic.lines)
      }
    } else if let oops = reports.first(where: { $0.kind == .oops }) {
      self = hasStarted ? .oops(lines: oops.lines) : .noBoot(.panic(lines: oops.lines))
    } else if let status = evidence.lines.reversed().lazy.compactMap(Self.status).first {
      self = .finished(status: status)
    } else if let watchdog = evidence.watchdog {
      self =
        hasStarted
        ? .hung(silent: watchdog == .silence, tail: tail)
        : .noBoot(messages.isEmpty ? .noConsoleOutput : .stopped(tail: tail))
    } else if case .signalled(let signal) = evidence.exit {
      self = .killed(signal: signal)
    } else if evidence.exit != .exited(0) {
      self = Self.refusal(evidence)
    } else if let mark = evidence.messages.range(of: "terminating on signal ") {
      // QEMU ends in order when it is asked to, and only says so.
      let number = evidence.messages[mark.upperBound...].prefix(while: \.isNumber)
      self = .killed(signal: Int(number) ?? Int(SIGTERM))
    } else if hasStarted {
      self = .unreported(tail: tail)
    } else {
      self = .noBoot(messages.isEmpty ? .noConsoleOutput : .stopped(tail: tail))
    }
  }

  /// Whether the kernel died on its own before the guest's program had said anything on a port.
  ///
  /// A watchdog's kill is not that: a second wait in silence would tell no more than the first.
  static func diedUnheard(_ evidence: GuestEvidence) -> Bool {
    guard evidence.lines.isEmpty, evidence.watchdog == nil, evidence.exit == .exited(0) else { return false }
    return switch GuestEnding(evidence) {
    case .noBoot(.panic), .noBoot(.stopped), .noBoot(.noConsoleOutput), .panic, .oops: true
    default: false
    }
  }

  /// The final status, if the line is `{"event":"exit","status":N}`.
  static func status(in line: String) -> Int? {
    struct Exit: Decodable {
      let event: String
      let status: Int
    }
    guard line.contains("\"exit\""), let exit = try? JSONDecoder().decode(Exit.self, from: Data(line.utf8)),
      exit.event == "exit"
    else { return nil }
    return exit.status
  }

  /// `Attempted to kill init! exitcode=0x00000300`: a wait status.
  private static func codeOfDeadInit(_ headline: String) -> Int? {
    guard headline.contains("Attempted to kill init!"), let start = headline.range(of: "exitcode=0x") else {
      return nil
    }
    guard let status = Int(headline[start.upperBound...].prefix { $0.isHexDigit }, radix: 16) else {
      return nil
    }
    let signal = status & 0x7f
    return signal == 0 ? status >> 8 & 0xff : 128 + signal
  }

  private static func refusal(_ evidence: GuestEvidence) -> GuestEnding {
    let lines = evidence.messages.split(whereSeparator: \.isNewline).map(String.init)
    let message = lines.last { !$0.contains("warning:") } ?? "no message"
    let isImage = ["could not load kernel", "invalid kernel header", "linux kernel too old"]
      .contains { message.contains($0) }
    return isImage ? .noBoot(.badImage(message: message)) : .qemuFailed(message: message)
  }
}

extension GuestEnding: CustomStringConvertible {
  /// The ending in one line.
  public var description: String {
    switch self {
    case .finished(let status): "finished with status \(status)"
    case .panic(let lines): "the kernel panicked: \(Self.headline(lines))"
    case .oops(let lines): "the kernel hit an oops: \(Self.headline(lines))"
    case .initDied(let code, _): "the guest's program died with status \(code)"
    case .unreported(let tail):
      "the guest powered off without a final status; last: \(Self.headline(tail.suffix(1)))"
    case .hung(true, let tail): "the guest fell silent and was killed; last: \(Self.headline(tail.suffix(1)))"
    case .hung(false, let tail):
      "the guest ran out of time and was killed; last: \(Self.headline(tail.suffix(1)))"
    case .noBoot(.badImage(let message)): "the kernel did not boot: QEMU refused the image: \(message)"
    case .noBoot(.panic(let lines)): "the kernel did not boot: it died before /init: \(Self.headline(lines))"
    case .noBoot(.noConsoleOutput): "the kernel did not boot: nothing came on its console"
    case .noBoot(.stopped(let tail)):
      "the kernel did not boot: it stopped before /init; last: \(Self.headline(tail.suffix(1)))"
    case .qemuMissing(let name, let package): "\(name) is not on this machine; apt-get install \(package)"
    case .qemuFailed(let message): "QEMU did not run the guest: \(message)"
    case .otherBuild(let executable):
      "\(executable), the guest's program, is of another build than repro: \(SuiteFingerprint.remedy)"
    case .killed(let signal): "QEMU was killed by signal \(signal)"
    }
  }

  private static func headline(_ lines: some Sequence<String>) -> String {
    lines.first { _ in true }.map { $0.trimmingCharacters(in: .whitespaces) } ?? "nothing"
  }
}
