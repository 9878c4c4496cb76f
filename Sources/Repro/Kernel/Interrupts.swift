import CKernel

/// Signals that ask the program to stop (SIGINT, SIGTERM, SIGHUP, SIGQUIT), noted instead of ending it.
public enum Interrupts {
  /// From now on they are noted.
  public static func note() { ck_note_interrupts() }

  /// The signal noted last, if any.
  public static var signal: Int32? {
    let signal = ck_interrupted()
    return signal == 0 ? nil : signal
  }
}
