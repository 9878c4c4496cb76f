import Foundation

/// Settings of KSM that no run wants, so that every run has to change them and to put them back.
struct KSMSettings {
  private static let folder = "/sys/kernel/mm/ksm"
  private static let unwanted = [
    "run": "0", "pages_to_scan": "101", "sleep_millisecs": "21", "smart_scan": "1",
  ]

  /// What stood there before; kernels lack some.
  private let before: [String: String]

  init() {
    var before: [String: String] = [:]
    for name in Self.unwanted.keys {
      before[name] = try? String(contentsOfFile: "\(Self.folder)/\(name)", encoding: .utf8)
    }
    self.before = before
    Self.write(Self.unwanted.filter { before[$0.key] != nil })
  }

  func restore() { Self.write(before) }

  private static func write(_ values: [String: String]) {
    for (name, value) in values {
      try? Data(value.utf8).write(to: URL(filePath: "\(folder)/\(name)"), options: [])
    }
  }
}
