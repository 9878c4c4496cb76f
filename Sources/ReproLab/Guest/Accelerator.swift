import Foundation
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
    guard let emulator = await tool.path() else { return false }
    let command = await HostTool.tied(
      [emulator, "-accel", accelerator.rawValue, "-nodefaults", "-display", "none", "-no-reboot"]
        + ["-bios", path] + ProbeFirmware.options)
    let probe = HostTool(name: command[0], package: tool.package)
    return await withTaskGroup(of: Bool.self) { group in
      group.addTask {
        (try? await probe.run(Array(command.dropFirst())))?.status == .exited(CInt(ProbeFirmware.status))
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

  /// The options of `qemu-system-x86_64` for it.
  var options: [String] {
    switch self {
    case .kvm, .auto: ["-accel", "kvm", "-cpu", "host"]
    case .tcg: ["-accel", "tcg,thread=multi", "-cpu", "max"]
    }
  }
}
