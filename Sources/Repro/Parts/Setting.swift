/// One thing on the host that a part needs changed while it is in use, and what it means if that fails.
public struct Setting: Sendable, Equatable {
  /// What is changed.
  public enum Change: Sendable, Equatable {
    /// The file of /proc or /sys holds `value`; one of `accepted` there already will do.
    case file(path: String, value: String, accepted: [String])
    /// The file holds a number of at least this: what is there already stays, and comes on top.
    case more(path: String, by: Int)
    /// Some swap is on; made on zram, a given device or a scratch file if there is none.
    case swap
    /// This process is in a control group of its own, with that name in it.
    case cgroup(Cgroup.Controller, String)
  }

  /// What a change that can't be made means.
  public enum Policy: String, Sendable {
    /// The part's cases are errors: it was probed before, and should work.
    case needed
    /// Nothing; kernels without the file do by themselves what is wanted.
    case wished
    /// The part's cases are skipped, with the reason.
    case skip
  }

  /// What is changed.
  public let change: Change
  /// What failure means.
  public let policy: Policy

  /// The file of /proc or /sys at `path` holds `value`.
  /// - Parameter accepted: values that will do as well.
  static func file(
    _ path: String, _ value: String, accepted: [String] = [], _ policy: Policy = .needed
  ) -> Setting {
    Setting(change: .file(path: path, value: value, accepted: accepted), policy: policy)
  }

  /// The number in the file at `path` grows by `count`, all of which must arrive.
  static func more(_ path: String, by count: Int, _ policy: Policy = .skip) -> Setting {
    Setting(change: .more(path: path, by: count), policy: policy)
  }

  /// The same, and nothing follows where it can't be made.
  var wished: Setting { Setting(change: change, policy: .wished) }

  /// The file that is changed, if it is one.
  var path: String? {
    switch change {
    case .file(let path, _, _), .more(let path, _): path
    case .swap, .cgroup: nil
    }
  }

  /// This process is in a control group of its own.
  static func cgroup(_ controller: Cgroup.Controller, _ name: String) -> Setting {
    Setting(change: .cgroup(controller, name), policy: .skip)
  }

  /// Some swap is on.
  static let swap = Setting(change: .swap, policy: .needed)
}

extension Setting: CustomStringConvertible {
  /// For people, as the rest of a sentence.
  public var description: String {
    switch change {
    case .file(let path, let value, _): "\(path) = \(value)"
    case .more(let path, let count): "\(path) = \(count) more than before"
    case .swap: "swap, if none is on (zram, or a scratch file)"
    case .cgroup(let controller, let name): "a \(controller.rawValue) cgroup '\(name)' of this process's own"
    }
  }
}
