/// What QEMU is told to be: everything of its options that differs from one architecture to the next.
struct GuestMachine: Sendable {
  let qemu: HostTool
  /// What the host must be for KVM, as `uname -m` has it.
  let machine: String
  /// The options that make the machine, without processors and memory.
  private let options: [String]
  private let nodes: Int
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
      machine: architecture.machine, options: architecture.options, nodes: architecture.nodes,
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

  /// The machine's options under an accelerator, with this many processors.
  func options(_ accelerator: Accelerator, processors: Int) -> [String] {
    let accelerated =
      accelerator == .tcg
      ? ["-accel", "tcg,thread=multi", "-cpu", cpu] : ["-accel", "kvm", "-cpu", "host"]
    return Array(options.prefix(2)) + accelerated + options.dropFirst(2) + memory(processors)
  }

  private func memory(_ processors: Int) -> [String] {
    guard nodes == 2 else { return ["-smp", "\(processors)", "-m", "1G"] }
    // A socket each: processors of one socket on two nodes are impossible, and the kernel WARNs of them.
    return ["-smp", "\(processors),sockets=\(processors),cores=1,threads=1", "-m", "1G"]
      + (0...1).flatMap { node in
        let own = node < processors ? "cpus=\(node)," : ""
        return [
          "-object", "memory-backend-ram,id=m\(node),size=512M",
          "-numa", "node,nodeid=\(node),\(own)memdev=m\(node)",
        ]
      }
  }
}
