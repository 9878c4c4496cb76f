import Foundation
import Glibc
import Subprocess

/// How QEMU runs the guest's instructions.
public enum Accelerator: String, Sendable, Codable, CaseIterable {
  /// Translated by QEMU: slower, and the same everywhere.
  case tcg
  /// Run by the processor through /dev/kvm, which must answer a probe first.
  case kvm
  /// KVM if it answers the probe, else TCG.
  case auto

  /// Proves that a virtual processor gets work done, which an open /dev/kvm does not: some sandboxes have one that
  /// hangs, or that boots a kernel in minutes.
  static func answers(_ accelerator: Accelerator, qemu: String, within limit: Duration) async -> Bool {
    guard accelerator != .kvm || FileManager.default.isWritableFile(atPath: "/dev/kvm") else { return false }
    guard let folder = try? ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-probe") else {
      return false
    }
    defer { folder.remove() }
    let path = folder.appending("firmware")
    guard FileManager.default.createFile(atPath: path, contents: Data(ProbeFirmware.image)) else {
      return false
    }

    let tool = HostTool(name: qemu, package: "qemu-system-x86")
    let options =
      ["-accel", accelerator.rawValue, "-nodefaults", "-display", "none", "-no-reboot"]
      + ["-bios", path] + ProbeFirmware.options
    return await Self.ends(tool, options, with: CInt(ProbeFirmware.status), within: limit)
  }

  /// The same where no firmware of ours runs: a kernel without a root file system panics, which ends QEMU. So its
  /// processor got from the first instruction to the last.
  static func boots(
    _ kernel: Kernel, on machine: GuestMachine, _ accelerator: Accelerator, within limit: Duration
  ) async -> Bool {
    guard accelerator != .kvm || FileManager.default.isWritableFile(atPath: "/dev/kvm") else { return false }
    let options =
      machine.options(accelerator, processors: 1) + [
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
      ]
      + ["-kernel", kernel.image, "-append", "panic=-1"]
    return await ends(machine.qemu, options, with: 0, within: limit)
  }

  /// Whether QEMU ends in time, and as it should; one that hangs is killed.
  private static func ends(
    _ tool: HostTool, _ options: [String], with status: CInt, within limit: Duration
  ) async -> Bool {
    guard let emulator = await tool.path() else { return false }
    let command = await HostTool.tied([emulator] + options)
    let probe = HostTool(name: command[0], package: tool.package)
    return await withTaskGroup(of: Bool.self) { group in
      group.addTask {
        (try? await probe.run(Array(command.dropFirst())))?.status == .exited(status)
      }
      group.addTask {
        try? await Task.sleep(for: limit)
        return false
      }
      // Whoever is first decides; the other is cancelled, which kills a QEMU that hangs.
      let first = await group.next() ?? false
      group.cancelAll()
      return first
    }
  }

  /// The accelerator to use, after the probe if it needs one: never `auto`.
  ///
  /// A run does this itself; who starts many does it once and gives each the answer, since a KVM that does not
  /// answer costs the whole limit.
  public func probed(
    qemu: String = "qemu-system-x86_64", limit: Duration = .seconds(5)
  ) async throws -> Accelerator {
    guard self != .tcg else { return .tcg }
    if await Self.answers(.kvm, qemu: qemu, within: limit) { return .kvm }
    try Task.checkCancellation()
    guard self == .auto else {
      throw LabError("KVM does not run a guest on this machine", remedy: "use the tcg accelerator")
    }
    return .tcg
  }

  /// The same for a machine of any architecture: KVM runs only what the host is.
  func probed(
    _ machine: GuestMachine, kernel: Kernel, host: String = Self.hostMachine, limit: Duration = .seconds(10)
  ) async throws -> Accelerator {
    guard self != .tcg else { return .tcg }
    if machine.machine == host {
      if host == KernelImage.machine { return try await probed(qemu: machine.qemu.name) }
      if await Self.boots(kernel, on: machine, .kvm, within: limit) { return .kvm }
      try Task.checkCancellation()
    }
    guard self == .auto else {
      throw LabError(
        machine.machine == host
          ? "KVM does not run a guest on this machine" : "KVM runs \(host) here, not \(machine.machine)",
        remedy: "use the tcg accelerator")
    }
    return .tcg
  }

  /// What this machine is, as `uname -m` has it.
  static let hostMachine: String = {
    var names = utsname()
    uname(&names)
    return withUnsafeBytes(of: names.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }()
}
