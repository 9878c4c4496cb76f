import Foundation
public import Repro

/// A folder that another test runner takes as its own: files, and the static executable that they call.
public struct RunnerFolder: Sendable {
  /// A file of the folder.
  struct File: Sendable {
    var path: String
    var text: String
    var isProgram = false
  }

  var files: [File]
  /// Where the executable goes.
  var executable: String

  /// Writes the folder, which must not hold any of its files yet.
  /// - Throws: PlanError that names the file.
  public func write(to folder: String, oneShot: String) throws(PlanError) {
    let manager = FileManager.default
    for path in files.map(\.path) + [executable] where manager.fileExists(atPath: "\(folder)/\(path)") {
      throw PlanError("\(folder)/\(path): exists; name a new folder")
    }
    do {
      for file in files {
        try Self.makeParent(of: "\(folder)/\(file.path)")
        try file.text.write(toFile: "\(folder)/\(file.path)", atomically: false, encoding: .utf8)
        if file.isProgram { try Self.makeExecutable("\(folder)/\(file.path)") }
      }
      try Self.makeParent(of: "\(folder)/\(executable)")
      try manager.copyItem(atPath: oneShot, toPath: "\(folder)/\(executable)")
      try Self.makeExecutable("\(folder)/\(executable)")
    } catch {
      throw PlanError("\(folder): \(error.localizedDescription); name a folder that you may write")
    }
  }

  private static func makeParent(of path: String) throws {
    try FileManager.default.createDirectory(
      at: URL(filePath: path).deletingLastPathComponent(), withIntermediateDirectories: true)
  }

  private static func makeExecutable(_ path: String) throws {
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
  }

  /// The words that make the executable run `one` case as `plan` says, without a seed that nobody chose.
  static func words(_ one: Case, of plan: Plan, keepsSeed: Bool) -> [String] {
    var single = plan
    single.selection = Selection(scenarios: [one.scenario.name])
    single.selection.memories = [one.memory]
    single.selection.engines = [one.engine]
    single.selection.targets = [one.target]
    single.selection.schedules = [one.schedule]
    return single.text.split(separator: "\n").filter { keepsSeed || !$0.hasPrefix("seed=") }
      .map { $0.contains(" ") ? "\"\($0)\"" : String($0) }
  }

  /// The known bugs that a case may find.
  static func bugs(_ one: Case) -> [Bug] {
    let path = one.engine.traits.contains(.registers) ? IOPath.pin : one.target.kind.path ?? .block
    return Catalogue.standard.bugs(one.name, path).filter { !$0.isGuard }
  }
}

extension Array where Element: Hashable {
  /// The elements, each once, in order.
  var unique: [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
