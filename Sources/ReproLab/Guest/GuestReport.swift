/// What one guest left: how it ended, what its kernel printed, what was missing.
public struct GuestReport: Sendable {
  /// How the guest ended.
  public var ending: GuestEnding
  /// All that the kernel printed, with its time stamps.
  public var console: String
  /// What the kernel complained of without dying: WARN, lockdep, hung tasks. Worth a look beside any ending.
  public var warnings: [ConsoleReport]
  /// Wanted modules that the kernel does not have.
  public var missingModules: [String]
  /// What ran the guest.
  public var accelerator: Accelerator
  /// Whether the kernel died on its own before the guest's program had said anything: of a panic, an oops or a
  /// reset, not of QEMU or of the program.
  public var diedUnheard: Bool
  /// Wall time from the call to the end, unpacking of modules included.
  public var seconds: Double

  init(
    ending: GuestEnding, console: String = "", warnings: [ConsoleReport] = [], missingModules: [String] = [],
    accelerator: Accelerator = .tcg, diedUnheard: Bool = false, seconds: Double = 0
  ) {
    self.ending = ending
    self.console = console
    self.warnings = warnings
    self.missingModules = missingModules
    self.accelerator = accelerator
    self.diedUnheard = diedUnheard
    self.seconds = seconds
  }

  /// Both as one: the first that did not finish says how it ended.
  func joined(with second: GuestReport) -> GuestReport {
    var whole = self
    if case .finished = ending { whole.ending = second.ending }
    whole.console += second.console
    whole.warnings += second.warnings
    whole.missingModules += second.missingModules.filter { !missingModules.contains($0) }
    whole.diedUnheard = diedUnheard || second.diedUnheard
    whole.seconds += second.seconds
    return whole
  }
}
