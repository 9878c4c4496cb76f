/// One thing on the host that a scenario needs changed while it runs.
public enum HostSetting: Sendable, Equatable {
  /// The file of /proc or /sys holds this value. Missing files are an error only when required.
  case file(String, String, isRequired: Bool)
  /// Some swap is on; made on zram, a given device or a scratch file if there is none.
  case swap
}
