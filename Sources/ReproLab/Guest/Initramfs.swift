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

  /// What swap on zram needs in addition: on 5.10 and 6.1 its compressor is a module that nothing depends on.
  public static let zramModules = ["lzo-rle", "zram"]

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
    let selection = try await Self.select(wanted, of: kernel)
    var files = programs.enumerated().map { index, program in
      ("cases/\(String(1000 + index).dropFirst())", program, 0o755)
    }
    if let first = programs.first { files.append(("init", first, 0o755)) }
    modules = selection.ordered.map(\.name)
    missingModules = selection.missing
    archive = Self.entries(files, folders: ["cases"], selection.ordered).finished()
  }

  /// Builds the archive.
  public init(
    kernel: Kernel, executable: String, plan: String, disks: [FileSystemDisk] = [],
    modules wanted: [String] = Self.defaultModules
  ) async throws {
    try await self.init(
      kernel: kernel, executable: executable, plan: plan, disks: disks, modules: wanted, prepared: nil)
  }

  /// Builds the archive.
  /// - Parameter prepared: keeps what does not depend on plan and disks; nil to make everything anew.
  init(
    kernel: Kernel, executable: String, plan: String, disks: [FileSystemDisk], modules wanted: [String],
    prepared: PreparedArchives?
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
    let key = PreparedArchives.Key(kernel, executable: initial, modules: wanted)
    let base: PreparedArchives.Entry
    if let found = prepared?.find(key) {
      (base, missingModules) = (found, [])
    } else {
      let selection = try await Self.select(wanted, of: kernel)
      base = PreparedArchives.Entry(
        modules: selection.ordered.map(\.name),
        entries: Self.entries([("init", initial, 0o755)], folders: [], selection.ordered).bytes)
      missingModules = selection.missing
      // What is missing today may be there tomorrow, and no file tells.
      if missingModules.isEmpty {
        prepared?.keep(key, selection.ordered.map { ($0.name, $0.file) }, base.entries)
      }
    }
    modules = base.modules
    var cpio = CPIOArchive(after: base.entries)
    cpio.add("plan", .file(Array(plan.utf8)), permissions: 0o644)
    let lines = disks.map { "\($0.line)\n" }
    cpio.add("disks", .file(Array(lines.joined().utf8)), permissions: 0o644)
    archive = cpio.finished()
  }

  private static func select(_ wanted: [String], of kernel: Kernel) async throws -> ModuleFolder.Selection {
    guard let folder = kernel.modules else { return ModuleFolder.Selection() }
    return try await ModuleFolder(path: folder).select(wanted)
  }

  private static func entries(
    _ files: [(name: String, bytes: [UInt8], permissions: Int)], folders: [String],
    _ modules: [ModuleFolder.Module]
  ) -> CPIOArchive {
    var cpio = CPIOArchive()
    for folder in ["dev", "proc", "sys", "tmp", "mnt", "modules"] + folders {
      cpio.add(folder, .folder, permissions: 0o755)
    }
    cpio.add("dev/console", .character(major: 5, minor: 1), permissions: 0o600)
    for file in files { cpio.add(file.name, .file(file.bytes), permissions: file.permissions) }
    for (index, module) in modules.enumerated() {
      let number = String(1000 + index).dropFirst()
      cpio.add("modules/\(number)-\(module.name).ko", .file(module.object), permissions: 0o644)
    }
    return cpio
  }
}
