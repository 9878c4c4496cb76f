/// One thing on the host that a scenario needs changed while it runs.
public enum HostSetting: Sendable, Equatable {
  /// The file of /proc or /sys holds this value. Missing files are an error only when required.
  case file(String, String, isRequired: Bool)
  /// Some swap is on; made on zram, a given device or a scratch file if there is none.
  case swap
}

extension KSMHazard {
  /// ksmd scans without pause, everything, and by no policy of its own (Documentation/mm/ksm.rst).
  static let settings: [HostSetting] = [
    // The advisor (6.8) would refuse pages_to_scan; smart scan (6.7) skips pages that failed before.
    .file("/sys/kernel/mm/ksm/advisor_mode", "none", isRequired: false),
    .file("/sys/kernel/mm/ksm/smart_scan", "0", isRequired: false),
    .file("/sys/kernel/mm/ksm/pages_to_scan", "1000", isRequired: true),
    .file("/sys/kernel/mm/ksm/sleep_millisecs", "0", isRequired: true),
    .file("/sys/kernel/mm/ksm/run", "1", isRequired: true),
  ]
}
