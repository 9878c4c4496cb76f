/// A kernel's version: the series (`6.1`) and, where it is known, the patch level in it (`.176`).
///
/// Distributions keep their own numbering in `uname -r`: Debian's `5.10.0-33-cloud-amd64` and Ubuntu's
/// `5.15.0-91-generic` name the series, and the 0 says nothing about the stable release inside. Such a
/// version has no patch level, because taking it for 5.10.0 would find bugs that were fixed years ago.
public struct KernelVersion: Sendable, Hashable {
  /// The first number.
  public let major: Int
  /// The second number.
  public let minor: Int
  /// The patch level of the stable series; 0 for the mainline release, nil if unknown.
  public let patch: Int?

  /// Puts a version together.
  public init(_ major: Int, _ minor: Int, patch: Int? = 0) {
    self.major = major
    self.minor = minor
    self.patch = patch
  }

  /// Reads `6.5` or `6.1.176` and nothing longer.
  public init?(_ text: some StringProtocol) {
    guard let leading = Self.leading(of: Substring(text)), leading.rest.isEmpty else { return nil }
    self.init(leading.major, leading.minor, patch: leading.patch ?? 0)
  }

  /// Reads what `uname -r` says and, if given, what `/proc/version` says.
  ///
  /// Debian's `/proc/version` ends in the version of the package (`#1 SMP Debian 6.1.176-1 (2026-06-01)`),
  /// which holds the patch level that the release hides. The compiler named in the same line has a Debian
  /// version too, so only one of the release's own series counts.
  public init?(release: String, procVersion: String? = nil) {
    guard let leading = Self.leading(of: Substring(release)) else { return nil }
    let packaged = procVersion.flatMap {
      Self.debianVersion(in: $0, major: leading.major, minor: leading.minor)
    }
    if let packaged {
      self = packaged
    } else if leading.patch == 0, Self.isPackageRevision(leading.rest) {
      self.init(leading.major, leading.minor, patch: nil)
    } else {
      self.init(leading.major, leading.minor, patch: leading.patch ?? 0)
    }
  }

  /// Whether both belong to one stable series, such as 6.1.
  public func isSameSeries(as other: KernelVersion) -> Bool {
    (major, minor) == (other.major, other.minor)
  }

  /// Whether this kernel is at or past `other`; nil if the unknown patch level decides.
  public func isAtLeast(_ other: KernelVersion) -> Bool? {
    guard isSameSeries(as: other) else { return (major, minor) > (other.major, other.minor) }
    if other.patch == 0 { return true }
    guard let patch, let bound = other.patch else { return nil }
    return patch >= bound
  }
}

extension KernelVersion: Comparable {
  /// Orders by number; an unknown patch level sorts before the known ones of its series.
  ///
  /// That is an order for lists. To ask whether a kernel has a change use ``isAtLeast(_:)``.
  public static func < (left: KernelVersion, right: KernelVersion) -> Bool {
    (left.major, left.minor, left.patch ?? -1) < (right.major, right.minor, right.patch ?? -1)
  }
}

extension KernelVersion: CustomStringConvertible {
  /// `6.5` for a mainline release, `6.1.176` for a stable one, `5.10.?` if the patch level is unknown.
  public var description: String {
    switch patch {
    case 0: "\(major).\(minor)"
    case .some(let patch): "\(major).\(minor).\(patch)"
    case nil: "\(major).\(minor).?"
    }
  }
}

extension KernelVersion {
  /// The numbers a text starts with, and what follows them.
  private static func leading(
    of text: Substring
  ) -> (major: Int, minor: Int, patch: Int?, rest: Substring)? {
    var rest = text
    guard let major = number(from: &rest), dot(from: &rest), let minor = number(from: &rest) else {
      return nil
    }
    var afterDot = rest
    guard dot(from: &afterDot), let patch = number(from: &afterDot) else {
      return (major, minor, nil, rest)
    }
    return (major, minor, patch, afterDot)
  }

  private static func number(from text: inout Substring) -> Int? {
    let digits = text.prefix { ("0"..."9").contains($0) }
    text = text.dropFirst(digits.count)
    return Int(digits)
  }

  private static func dot(from text: inout Substring) -> Bool {
    guard text.first == "." else { return false }
    text = text.dropFirst()
    return true
  }

  /// `-33-cloud-amd64` counts the distribution's builds; `-rc3`, `-local` and `+` do not.
  private static func isPackageRevision(_ rest: Substring) -> Bool {
    guard rest.first == "-", let second = rest.dropFirst().first else { return false }
    return ("0"..."9").contains(second)
  }

  private static func debianVersion(in text: String, major: Int, minor: Int) -> KernelVersion? {
    let words = text.split(separator: " ")
    for (word, next) in zip(words, words.dropFirst()) where word == "Debian" || word == "(Debian" {
      guard let found = leading(of: next), let patch = found.patch,
        (found.major, found.minor) == (major, minor)
      else { continue }
      return KernelVersion(major, minor, patch: patch)
    }
    return nil
  }
}

extension KernelVersion {
  /// The kernel that is running, as far as it tells.
  static var running: KernelVersion? {
    guard let release = try? KernelFile.read("/proc/sys/kernel/osrelease") else { return nil }
    return KernelVersion(release: release, procVersion: try? KernelFile.read("/proc/version"))
  }
}
