import Foundation

/// The guest's whole user space: one static executable, what it shall do, and the modules it loads first.
///
///     /init                  the executable, started as process 1
///     /plan                  text for it
///     /disks                 what it assembles and mounts, "NAME LAYER FILESYSTEM DEVICE..." a line
///     /modules/000-virtio.ko modules, decompressed, to be loaded in the order of their names
///     /dev/console           what the kernel opens as standard input, output and error of /init
///
/// Or exported programs: the first is `/init` too, `/cases` has them all, and there is no plan.
public struct Initramfs: Sendable {
  /// Modules that a guest of the lab needs on a stock kernel: its disks, the fast port, FUSE and loop devices.
  public static let defaultModules = ["virtio_pci", "virtio_blk", "virtio_console", "fuse", "loop"]
  /// What the target held-nfs needs in addition.
  public static let nfsModules = ["nfsv3"]

  /// The archive, an uncompressed cpio.
  public let archive: [UInt8]
  /// The modules in load order.
  public let modules: [String]
  /// Wanted modules that the kernel has neither as a file nor built in. Empty for a kernel without a module
  /// folder, of which that can't be known.
  public let missingModules: [String]

  /// Builds the archive of exported programs.
  /// - Parameter machine: what they must be for, as `uname -m` has it.
  init(
    kernel: Kernel, programs: [[UInt8]], for machine: String, modules wanted: [String] = Self.defaultModules
  ) async throws {
    for program in programs {
      guard let elf = ELFFile(program), elf.isStatic, elf.machineName == machine else {
        throw LabError(
          "an exported program is no static executable for \(machine)", remedy: "check the compiler")
      }
    }
    let selection = try await kernel.modules.asyncMap { try await ModuleFolder(path: $0).select(wanted) }
    var files = programs.enumerated().map { index, program in
      ("cases/\(String(1000 + index).dropFirst())", program, 0o755)
    }
    if let first = programs.first { files.append(("init", first, 0o755)) }
    self.init(files, folders: ["cases"], selection)
  }

  /// Builds the archive.
  public init(
    kernel: Kernel, executable: String, plan: String, disks: [FileSystemDisk] = [],
    modules wanted: [String] = Self.defaultModules
  ) async throws {
    guard let data = FileManager.default.contents(atPath: executable) else {
      throw LabError(
        "\(executable): cannot be read", remedy: "give the path of the guest's static executable")
    }
    let initial = [UInt8](data)
    guard let elf = ELFFile(initial), elf.isStatic, elf.machineName == KernelImage.machine else {
      throw LabError(
        "\(executable): not a static x86-64 executable, so no guest can start it",
        remedy: "build it with -static-executable")
    }
    let selection = try await kernel.modules.asyncMap { try await ModuleFolder(path: $0).select(wanted) }
    let lines = disks.map { "\($0.line)\n" }
    self.init(
      [
        ("init", initial, 0o755), ("plan", Array(plan.utf8), 0o644),
        ("disks", Array(lines.joined().utf8), 0o644),
      ], folders: [], selection)
  }

  private init(
    _ files: [(name: String, bytes: [UInt8], permissions: Int)], folders: [String],
    _ selection: ModuleFolder.Selection?
  ) {
    modules = selection?.ordered.map(\.name) ?? []
    missingModules = selection?.missing ?? []

    var cpio = CPIOArchive()
    for folder in ["dev", "proc", "sys", "tmp", "mnt", "modules"] + folders {
      cpio.add(folder, .folder, permissions: 0o755)
    }
    cpio.add("dev/console", .character(major: 5, minor: 1), permissions: 0o600)
    for file in files { cpio.add(file.name, .file(file.bytes), permissions: file.permissions) }
    for (index, module) in (selection?.ordered ?? []).enumerated() {
      let number = String(1000 + index).dropFirst()
      cpio.add("modules/\(number)-\(module.name).ko", .file(module.object), permissions: 0o644)
    }
    archive = cpio.finished()
  }
}

extension Optional where Wrapped: Sendable {
  fileprivate func asyncMap<Result>(_ transform: (Wrapped) async throws -> Result) async rethrows -> Result? {
    if let self { try await transform(self) } else { nil }
  }
}
