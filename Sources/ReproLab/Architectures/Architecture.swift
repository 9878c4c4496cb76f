import Repro

/// An architecture with one size of pages, as a record of `fixtures/architectures.txt` describes it: who compiles
/// for it, what emulates it, and which kernels of it Debian has.
public struct Architecture: Sendable, Equatable {
  /// A program, and the Debian packages that bring it.
  public struct Tool: Sendable, Equatable {
    /// Its name.
    public let program: String
    /// The packages, with blanks between.
    public let packages: String
  }

  /// What the kernel's console is.
  public enum Console: String, Sendable {
    /// The machine's own serial port.
    case serial
    /// A device of pseries.
    case spaprVTY = "spapr-vty"
    /// A device of s390.
    case sclp = "sclpconsole"
  }

  /// What the user types: `arm64-16k`.
  public let name: String
  /// As `uname -m` has it: `aarch64`.
  public let machine: String
  /// Bytes of a base page.
  public let pageSize: Int
  /// `little` or `big`.
  public let byteOrder: String
  /// Debian's name: `ppc64el`.
  public let debian: String
  /// The cross compiler.
  public let compiler: Tool
  /// The emulator.
  public let qemu: Tool
  /// The options of the emulator that make the machine.
  public let options: [String]
  /// The processor under emulation.
  public let cpu: String
  /// The kernel's parameters under emulation, but for its console's.
  public let parameters: [String]
  /// NUMA nodes.
  public let nodes: Int
  /// The kernel's name of the console, and the device behind it.
  public let console: (name: String, device: Console)
  /// What virtio devices are attached to: `pci`, `ccw`.
  public let bus: String
  /// Scenarios and memories that its guests are known not to have; `NAME<6.8` on kernels before 6.8.
  public let lacks: [String]
  /// The kernels by their short names.
  public let kernels: [KernelProfile]

  /// Architectures are told apart by their names.
  public static func == (one: Architecture, other: Architecture) -> Bool { one.name == other.name }
}

extension Architecture {
  /// The records that are built into the program.
  public static let all: [Architecture] = {
    do {
      return try parse(String(decoding: PackageResources.architectures_txt, as: UTF8.self))
    } catch {
      fatalError("\(error)")
    }
  }()

  /// The names, in the order of the list.
  public static var names: [String] { all.map(\.name) }

  /// The one of that name.
  public static func named(_ name: String) -> Architecture? { all.first { $0.name == name } }

  /// Whether its guests are known not to have what a case is about.
  func lacks(_ name: CaseName, on version: KernelVersion?) -> Bool {
    lacks.contains { word in
      let parts = word.split(separator: "<").map(String.init)
      guard [name.scenario, name.memory].contains(parts[0]) else { return false }
      guard parts.count == 2 else { return true }
      guard let version, let first = KernelVersion(parts[1]) else { return false }
      return version < first
    }
  }

  /// Reads records.
  /// - Throws: LabError that names the line and what belongs there.
  public static func parse(_ text: String, file: String = "architectures.txt") throws -> [Architecture] {
    let jar: RecordJar
    do throws(CatalogueError) {
      jar = try RecordJar(parsing: text)
    } catch {
      throw LabError("\(file):\(error.line): \(error.problem)", remedy: error.remedy)
    }
    var found: [Architecture] = []
    for record in jar.records {
      let architecture = try ArchitectureRecord(record, file: file).architecture()
      guard !found.contains(architecture) else {
        throw LabError(
          "\(file):\(record.line): \(architecture.name) is there twice", remedy: "remove one of the records")
      }
      found.append(architecture)
    }
    return found
  }
}

/// Reads one record.
private struct ArchitectureRecord {
  private static let names = [
    "name", "machine", "page", "order", "debian", "compiler", "qemu", "options", "cpu", "parameters", "nodes",
    "console", "bus", "lacks", "kernels",
  ]

  let record: RecordJar.Record
  let file: String

  init(_ record: RecordJar.Record, file: String) throws {
    self.record = record
    self.file = file
    for name in record.fields.keys.sorted() where !Self.names.contains(name) {
      throw error(name, "there is no field '\(name)'", "use \(Self.names.joined(separator: " "))")
    }
    for name in Self.names where record.fields[name]?.value.isEmpty != false {
      throw error("", "the record has no '\(name)'", "add '\(name): ...'")
    }
  }

  func architecture() throws -> Architecture {
    let console = words("console")
    guard console.count == 2, let device = Architecture.Console(rawValue: console[1]) else {
      throw error("console", "'\(text("console"))' is no console", "write 'ttyS0 serial'")
    }
    guard let page = Int(text("page")), page >= 4096, page & (page - 1) == 0 else {
      throw error("page", "'\(text("page"))' is no size of pages", "write a power of two from 4096 on")
    }
    guard let nodes = Int(text("nodes")), (1...2).contains(nodes) else {
      throw error("nodes", "'\(text("nodes"))' nodes", "write 1 or 2")
    }
    return Architecture(
      name: text("name"), machine: text("machine"), pageSize: page,
      byteOrder: try choice("order", ["little", "big"]), debian: text("debian"),
      compiler: try tool("compiler"), qemu: try tool("qemu"), options: words("options"), cpu: text("cpu"),
      parameters: list("parameters"), nodes: nodes, console: (console[0], device),
      bus: try choice("bus", ["pci", "ccw"]), lacks: list("lacks"), kernels: try kernels())
  }

  private func kernels() throws -> [KernelProfile] {
    let lines = text("kernels").split(separator: ",").joined(separator: "\n")
    do {
      return try KernelProfiles.parse(lines)
    } catch let fault as LabError {
      throw error("kernels", fault.problem, fault.remedy)
    }
  }

  private func text(_ name: String) -> String { record.fields[name]?.value ?? "" }

  private func words(_ name: String) -> [String] { text(name).split(separator: " ").map(String.init) }

  private func list(_ name: String) -> [String] { text(name) == "none" ? [] : words(name) }

  private func choice(_ name: String, _ values: [String]) throws -> String {
    guard values.contains(text(name)) else {
      throw error(name, "'\(text(name))' is no \(name)", "write \(values.joined(separator: " or "))")
    }
    return text(name)
  }

  private func tool(_ name: String) throws -> Architecture.Tool {
    let words = words(name)
    guard words.count >= 2 else {
      throw error(name, "'\(text(name))' names no package", "write the program and its packages")
    }
    return Architecture.Tool(program: words[0], packages: words.dropFirst().joined(separator: " "))
  }

  private func error(_ field: String, _ problem: String, _ remedy: String) -> LabError {
    LabError("\(file):\(record.fields[field]?.line ?? record.line): \(problem)", remedy: remedy)
  }
}
