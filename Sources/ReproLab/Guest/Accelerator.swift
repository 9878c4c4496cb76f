import Foundation
import Subprocess

/// How QEMU runs the guest's instructions.
public enum Accelerator: String, Sendable, CaseIterable {
  /// Translated by QEMU: slower, and the same everywhere.
  case tcg
  /// Run by the processor through /dev/kvm, which must answer a probe first.
  case kvm
  /// KVM if it answers the probe, else TCG.
  case auto

  /// Proves that a virtual processor runs, which an open /dev/kvm does not: some sandboxes have one that hangs.
  ///
  /// The probe is a firmware of five bytes at the reset vector that tells QEMU to exit with a status of its own:
  ///
  ///     mov al, 0x21;  out 0xf4, al;  hlt        exit status (0x21 << 1) | 1
  static func answers(_ accelerator: Accelerator, qemu: HostTool, within limit: Duration) async -> Bool {
    guard accelerator != .kvm || FileManager.default.isWritableFile(atPath: "/dev/kvm") else { return false }
    guard let folder = try? ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-probe") else {
      return false
    }
    defer { folder.remove() }
    var firmware = [UInt8](repeating: 0xf4, count: 1 << 16)
    firmware.replaceSubrange(0xfff0..<0xfff5, with: [0xb0, 0x21, 0xe6, 0xf4, 0xf4])
    let path = folder.appending("firmware")
    guard FileManager.default.createFile(atPath: path, contents: Data(firmware)) else { return false }

    let arguments = [
      "-accel", accelerator.rawValue, "-nodefaults", "-display", "none", "-no-reboot", "-m", "16M",
      "-bios", path, "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
    ]
    return await withTaskGroup(of: Bool.self) { group in
      group.addTask { (try? await qemu.run(arguments))?.status == .exited(0x43) }
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

  /// The accelerator to use, after the probe if it needs one.
  func probed(qemu: HostTool, limit: Duration = .seconds(5)) async throws -> Accelerator {
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
