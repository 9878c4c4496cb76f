/// A kernel with a short name, as `fixtures/kernels.txt` lists them: one line is one kernel.
public struct KernelProfile: Sendable, Equatable {
  /// What the user types: `6.12`.
  public let name: String
  /// Where the kernel comes from: `debian:bookworm/linux-image-cloud-amd64`.
  public let source: String
  /// Whether a matrix that names no kernels has it; the others are in `--kernels all`.
  public let isUsual: Bool

  init(name: String, source: String, isUsual: Bool = true) {
    self.name = name
    self.source = source
    self.isUsual = isUsual
  }

  /// Whether a kernel of this release may go by the profile's name.
  ///
  /// A name that looks like a version promises that version: a suite that has moved on must not pass for it.
  func admits(release: String) -> Bool {
    guard name.allSatisfy({ $0.isNumber || $0 == "." }) else { return true }
    return release == name || [".", "-", "+"].contains { release.hasPrefix(name + $0) }
  }
}

/// The kernels known by a short name.
public struct KernelProfiles: Sendable {
  /// The profiles that are built into the program.
  public static let standard: [KernelProfile] = {
    do {
      return try parse(String(decoding: PackageResources.kernels_txt, as: UTF8.self))
    } catch {
      fatalError("\(error)")
    }
  }()

  /// The names of the built-in profiles, in the order of the list.
  public static var names: [String] { standard.map(\.name) }

  /// The names of those that a matrix has when nobody names kernels.
  public static var usualNames: [String] { standard.filter(\.isUsual).map(\.name) }

  /// What stands for every kernel of a list, and marks those that are there only then.
  public static let all = "all"

  /// Reads a list of profiles: `NAME SOURCE [all]` a line, `#` starts a comment, empty lines are skipped.
  public static func parse(_ text: String, file: String = "kernels.txt") throws -> [KernelProfile] {
    var profiles: [KernelProfile] = []
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      let fields = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
      if fields.isEmpty { continue }
      func bad(_ why: String, remedy: String) -> LabError {
        LabError("\(file):\(index + 1): \(why)", remedy: remedy)
      }
      guard fields.count == 2 || fields.count == 3 && fields[2] == all else {
        throw bad(
          "\(fields.count) fields instead of 2, or 2 and '\(all)'",
          remedy: "write NAME SOURCE, as in '6.1 debian:bookworm/PACKAGE'")
      }
      guard !fields[0].contains("/"), !fields[0].contains(":"), fields[0] != all else {
        throw bad(
          "'\(fields[0])' cannot be a name", remedy: "a name holds neither '/' nor ':', and is not '\(all)'")
      }
      guard !profiles.contains(where: { $0.name == fields[0] }) else {
        throw bad("\(fields[0]) is listed twice", remedy: "remove one of the lines")
      }
      do {
        _ = try KernelSource(parsing: fields[1], profiles: [])
      } catch let error as LabError {
        throw bad(error.problem, remedy: error.remedy)
      }
      profiles.append(KernelProfile(name: fields[0], source: fields[1], isUsual: fields.count == 2))
    }
    return profiles
  }
}
