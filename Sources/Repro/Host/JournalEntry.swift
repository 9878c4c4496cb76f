/// One change, as the journal keeps it: what undoes it, and how to tell that it is still ours.
enum JournalEntry {
  /// `value` stood there before, `set` was put there.
  case file(path: String, value: String, set: String)
  /// The number there, `value`, is about to grow by up to `count`.
  case raising(path: String, value: Int, count: Int)
  /// It grew by `count`.
  case more(path: String, count: Int)
  case swap(path: String, id: UInt64)
  case zram(name: String, size: Int)
  /// A folder with a swap file.
  case scratch(String)
  /// A control group, and the one whose processes it took.
  case cgroup(path: String, origin: String)
  /// A controller that groups below the root were given.
  case controller(file: String, name: String)

  var text: String {
    switch self {
    case .file(let path, let value, let set): "file\t\(path)\t\(value)\t\(set)"
    case .raising(let path, let value, let count): "raising\t\(path)\t\(value)\t\(count)"
    case .more(let path, let count): "more\t\(path)\t\(count)"
    case .swap(let path, let id): "swap\t\(path)\t\(Hex.number(id))"
    case .zram(let name, let size): "zram\t\(name)\t\(size)"
    case .scratch(let folder): "scratch\t\(folder)"
    case .cgroup(let path, let origin): "cgroup\t\(path)\t\(origin)"
    case .controller(let file, let name): "controller\t\(file)\t\(name)"
    }
  }

  init?(_ line: String) {
    let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    switch (parts.first, parts.count) {
    case ("file", 4): self = .file(path: parts[1], value: parts[2], set: parts[3])
    case ("raising", 4):
      guard let value = Int(parts[2]), let count = Int(parts[3]), count > 0 else { return nil }
      self = .raising(path: parts[1], value: value, count: count)
    case ("more", 3):
      guard let count = Int(parts[2]), count >= 0 else { return nil }
      self = .more(path: parts[1], count: count)
    case ("swap", 3):
      guard let id = UInt64(parts[2].dropFirst(2), radix: 16) else { return nil }
      self = .swap(path: parts[1], id: id)
    case ("zram", 3):
      guard parts[1].hasPrefix("zram"), Int(parts[1].dropFirst(4)) != nil, let size = Int(parts[2]) else {
        return nil
      }
      self = .zram(name: parts[1], size: size)
    case ("scratch", 2):
      let folder = "/var/tmp/"
      guard parts[1].hasPrefix("\(folder)repro-swap."),
        !parts[1].dropFirst(folder.count).contains("/" as Character)
      else { return nil }
      self = .scratch(parts[1])
    case ("cgroup", 3):
      guard parts[1].hasPrefix("/"), parts[2].hasPrefix("/") else { return nil }
      self = .cgroup(path: parts[1], origin: parts[2])
    case ("controller", 3):
      guard parts[1].hasSuffix("/cgroup.subtree_control"), Cgroup.Controller(rawValue: parts[2]) != nil else {
        return nil
      }
      self = .controller(file: parts[1], name: parts[2])
    default: return nil
    }
  }
}
