/// What QEMU is told to be: everything of its options that differs from one architecture to the next.
struct GuestMachine: Sendable {
  let qemu: HostTool
  /// What the host must be for KVM, as `uname -m` has it.
  let machine: String
  /// The options that make the machine, with its processors and memory.
  private let options: [String]
  private let cpu: String
  /// The end of the names of virtio devices: `pci`, `ccw`.
  let bus: String
  /// The console's options, for the chardev of that name.
  let console: @Sendable (_ chardev: String) -> [String]
  /// The kernel's parameters for its console.
  let consoleParameters: [String]
  /// Its other ones under emulation.
  private let emulatedParameters: [String]

  /// The machine of the Swift guests, of the record x86-64.
  static func pc(_ qemu: String) -> GuestMachine {
    guard let architecture = Architecture.named("x86-64") else { fatalError("no record x86-64") }
    // What goes wrong before the console's driver is there is seen too.
    return of(architecture, qemu: qemu, console: "console=ttyS0,115200", "earlyprintk=ttyS0,115200")
  }

  /// The machine that a record describes.
  /// - Parameters:
  ///   - qemu: in place of the record's.
  ///   - parameters: the kernel's for its console, in place of its name alone.
  static func of(
    _ architecture: Architecture, qemu: String? = nil, console parameters: String...
  ) -> GuestMachine {
    let device = architecture.console.device
    return GuestMachine(
      qemu: HostTool(name: qemu ?? architecture.qemu.program, package: architecture.qemu.packages),
      machine: architecture.machine, options: architecture.options + processors(nodes: architecture.nodes),
      cpu: architecture.cpu, bus: architecture.bus,
      console: { chardev in
        device == .serial
          ? ["-serial", "chardev:\(chardev)"] : ["-device", "\(device.rawValue),chardev=\(chardev)"]
      },
      consoleParameters: parameters.isEmpty ? ["console=\(architecture.console.name)"] : parameters,
      emulatedParameters: architecture.parameters)
  }

  /// The kernel's parameters under an accelerator.
  func parameters(_ accelerator: Accelerator) -> [String] {
    consoleParameters + (accelerator == .tcg ? emulatedParameters : [])
  }

  /// The machine's options under an accelerator.
  func options(_ accelerator: Accelerator) -> [String] {
    let accelerated =
      accelerator == .tcg
      ? ["-accel", "tcg,thread=multi", "-cpu", cpu] : ["-accel", "kvm", "-cpu", "host"]
    return Array(options.prefix(2)) + accelerated + options.dropFirst(2)
  }

  private static func processors(nodes: Int) -> [String] {
    guard nodes == 2 else { return ["-smp", "2", "-m", "1G"] }
    // Two sockets: processors of one socket on two nodes are impossible, and the kernel WARNs of them.
    return ["-smp", "2,sockets=2,cores=1,threads=1", "-m", "1G"]
      + (0...1).flatMap { node in
        [
          "-object", "memory-backend-ram,id=m\(node),size=512M",
          "-numa", "node,nodeid=\(node),cpus=\(node),memdev=m\(node)",
        ]
      }
  }
}
