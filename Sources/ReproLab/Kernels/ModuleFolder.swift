import Foundation

/// A folder `lib/modules/RELEASE`: which modules it has, which are built in, and what each needs first.
///
/// Dependencies come from `modules.dep` where depmod has been run, and otherwise (a package that was unpacked
/// but not installed) from the modules themselves.
struct ModuleFolder: Sendable {
  let path: String
  private let files: [String: String]
  private let listed: [String: [String]]
  private let builtin: Set<String>

  init(path: String) {
    self.path = path
    let listed = (try? String(contentsOfFile: "\(path)/modules.dep", encoding: .utf8)).map(Self.parse)
    self.listed = listed?.dependencies ?? [:]
    files = listed?.files ?? Self.scan(path)
    let list = (try? String(contentsOfFile: "\(path)/modules.builtin", encoding: .utf8)) ?? ""
    builtin = Set(list.split(separator: "\n").map { Self.name(ofFile: String($0)) })
  }

  /// What became of the wish for some modules.
  struct Selection: Sendable, Equatable {
    /// The modules to load, each after those it needs.
    var ordered: [Module] = []
    /// The wanted names that are neither a module nor built in.
    var missing: [String] = []
  }

  /// One module, decompressed.
  struct Module: Sendable, Equatable {
    let name: String
    /// The file that it came from.
    let file: String
    let object: [UInt8]
  }

  /// Collects the wanted modules and what they need, in load order.
  func select(_ wanted: [String]) async throws -> Selection {
    var selection = Selection()
    var visited: Set<String> = []
    for name in wanted.map(Self.canonical) {
      guard files[name] != nil || builtin.contains(name) else {
        if !selection.missing.contains(name) { selection.missing.append(name) }
        continue
      }
      try await visit(name, &visited, &selection.ordered)
    }
    return selection
  }

  private func visit(_ name: String, _ visited: inout Set<String>, _ ordered: inout [Module]) async throws {
    guard visited.insert(name).inserted, let file = files[name] else { return }
    let module = Module(
      name: name, file: "\(path)/\(file)", object: try await Self.decompressed("\(path)/\(file)"))
    guard let elf = ELFFile(module.object) else {
      throw LabError("\(path)/\(file): not a kernel module", remedy: "unpack or build the modules again")
    }
    for needed in listed[name] ?? Self.dependencies(of: elf) {
      try await visit(needed, &visited, &ordered)
    }
    ordered.append(module)
  }

  /// A module's file may be `virtio-rng.ko.xz`, its name is `virtio_rng`.
  static func name(ofFile file: String) -> String {
    let last = file.split(separator: "/").last ?? ""
    return canonical(last.range(of: ".ko").map { String(last[..<$0.lowerBound]) } ?? String(last))
  }

  private static func canonical(_ name: String) -> String { name.replacingOccurrences(of: "-", with: "_") }

  /// `modules.dep` lists every dependency of a module, direct or not, the last one to be loaded first.
  static func parse(_ text: String) -> (files: [String: String], dependencies: [String: [String]]) {
    var files: [String: String] = [:]
    var dependencies: [String: [String]] = [:]
    for line in text.split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let file = String(line[..<colon])
      files[name(ofFile: file)] = file
      let needed = line[line.index(after: colon)...].split(separator: " ").map { name(ofFile: String($0)) }
      dependencies[name(ofFile: file)] = needed.reversed()
    }
    return (files, dependencies)
  }

  private static func scan(_ path: String) -> [String: String] {
    var files: [String: String] = [:]
    for case let file as String in FileManager.default.enumerator(atPath: path) ?? .init()
    where file.contains(".ko") {
      files[name(ofFile: file)] = file
    }
    return files
  }

  private static func dependencies(of module: ELFFile) -> [String] {
    module.moduleInfo.filter { $0.key == "depends" }
      .flatMap { $0.value.split(separator: ",") }.map { canonical(String($0)) }
  }

  /// Modules are decompressed here: not every kernel can, and the guest has no tools.
  private static func decompressed(_ file: String) async throws -> [UInt8] {
    let tools: [String: HostTool] = ["xz": .xz, "zst": .zstd, "gz": .gzip]
    guard let tool = tools[(file as NSString).pathExtension] else {
      guard let data = FileManager.default.contents(atPath: file) else {
        throw LabError("\(file): cannot be read", remedy: "unpack or build the modules again")
      }
      return [UInt8](data)
    }
    let outcome = try await tool.run(["-dc", file])
    guard outcome.succeeded else {
      throw LabError(
        "\(file): cannot be decompressed: \(outcome.complaint)", remedy: "unpack the modules again")
    }
    return outcome.output
  }
}
