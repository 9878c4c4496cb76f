/// Where swap is made, for who does not leave that to the suite: pages go there, whatever other swap is on.
public struct SwapPlace: Sendable, Equatable {
  /// What it is.
  public enum Kind: Sendable, Equatable {
    /// The block device at that path; its content is lost.
    case device(String)
    /// A zram device that nobody has set up.
    case zram
    /// A file of our own.
    case file
    /// A guest's own disk.
    case disk
  }

  /// What it is.
  public var kind: Kind
  /// Whether somebody said that the content of the device may be lost.
  public var overwrite = false
  /// Whether a run goes on without it, where it can't be made; then only cases that need swap do not run.
  public var isOptional = false

  /// A place.
  public init(_ kind: Kind, overwrite: Bool = false, isOptional: Bool = false) {
    self.kind = kind
    self.overwrite = overwrite
    self.isOptional = isOptional
  }

  /// Whether it is made and taken away with nothing of anybody's in it, on any machine.
  public var isOurs: Bool { kind == .zram || kind == .file }

  /// The path of a device that somebody named.
  var path: String? { if case .device(let path) = kind { path } else { nil } }
}

extension SwapPlace: CustomStringConvertible {
  private static let names: [(name: String, kind: Kind)] = [
    ("zram", .zram), ("file", .file), ("disk", .disk),
  ]

  /// `zram`, `file`, `disk`, or `device+RIGHTS:PATH` with the rights `overwrite` and `optional`, if any.
  public var description: String {
    let name = Self.names.first { $0.kind == kind }?.name ?? "device"
    let rights = (overwrite ? "+overwrite" : "") + (isOptional ? "+optional" : "")
    return name + rights + (path.map { ":\($0)" } ?? "")
  }

  /// Reads ``description``'s form; any other text with a slash in it is a path.
  public init?(parsing text: String) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let words = parts[0].split(separator: "+", omittingEmptySubsequences: false).map(String.init)
    let rights = words.dropFirst()
    let path = parts.count > 1 && !parts[1].isEmpty ? parts[1] : nil
    let kind = words[0] == "device" ? path.map(Kind.device) : Self.names.first { $0.name == words[0] }?.kind
    if let kind, rights.allSatisfy({ ["overwrite", "optional"].contains($0) }),
      parts.count == 1 || words[0] == "device"
    {
      self.init(kind, overwrite: rights.contains("overwrite"), isOptional: rights.contains("optional"))
    } else if text.contains("/") {
      self.init(.device(text))
    } else {
      return nil
    }
  }
}

/// Why swap can't be made where somebody wants it: one line that names the place and the remedy.
public enum SwapError: Error, Equatable, CustomStringConvertible {
  /// Only root may.
  case noRight
  /// No block device.
  case wrongType(String)
  /// Its content would be lost.
  case wouldOverwrite(String)
  /// No zram device that nobody uses.
  case noZram
  /// This machine is no guest of ours.
  case noDisk
  /// Pages may go to another area, at that path.
  case notFirst(String)
  /// The kernel said no.
  case unusable(SwapPlace, KernelError)

  /// One line.
  public var description: String {
    switch self {
    case .noRight: "swap can't be made: run as root"
    case .wrongType(let path): "\(path): no block device; swap is made on one, on 'zram' or in a 'file'"
    case .wouldOverwrite(let path): "\(path): its content would be lost; name another, or add --overwrite"
    case .noZram: "no free zram device: modprobe zram, or have swap made in a 'file'"
    case .noDisk: "only guests have a disk for swap; name a block device, 'zram' or 'file'"
    case .notFirst(let path):
      "swap on \(path) has the highest priority there is, so pages go there: swapoff \(path)"
    case .unusable(let place, let error):
      "\(place.path ?? "swap on \(place)"): \(error); name a place that nobody uses and swap can be on"
    }
  }
}
