import Foundation
import Glibc
import Repro
import Subprocess
import SystemPackage

/// One boot of a kernel with one plan, from QEMU's start to its end.
///
///     ttyS0   the kernel's console
///     ttyS1   result lines, one JSON value each, from /init; or
///     vport*  the same on a virtio port, which is faster where the kernel has virtio_console
///     vda     a scratch disk of 256 MiB, where a case has it for its target
///     vdb     a disk of 512 MiB for swap; vda without the other
///     vdc...  disks with the file systems asked for, after both
///
/// Exported programs, for any architecture, have the console, the port, `vda` for swap and `vdb`
/// to read from.
///
/// The kernel is started without its own decompressor where it can be (``DirectBoot``).
///
/// The guest has two NUMA nodes, and one or two processors. Its files live in a temporary folder that is removed as
/// soon as QEMU has them open, so that not even a SIGKILL of this process leaves them; QEMU itself is killed by the
/// kernel when this process dies.
public struct GuestRun: Sendable {
  /// The kernel to boot.
  public var kernel: Kernel
  /// What the guest runs.
  enum Payload: Sendable {
    /// The Swift executable as `/init`, and its `/plan`.
    case oneShot(initExecutable: String, plan: String)
    /// Exported programs, each with these arguments.
    case exported([[UInt8]], arguments: String, Architecture)
  }

  let payload: Payload
  /// The modules to put into the guest, each with what it needs.
  public var modules: [String]
  /// Disks with file systems, in the order of their devices.
  public var disks: [FileSystemDisk] = []
  /// How QEMU runs it.
  public var accelerator: Accelerator
  /// How long the guest may take in all.
  public var timeout: Duration
  /// How long it may say nothing on any port.
  public var silence: Duration
  /// One, or two on a node each. Two wait for each other awake, and beside other guests for as long as those are on
  /// the CPUs.
  package var processors = 2
  /// Parts of the machine that the guest has no use for: each virtio device takes a tenth of a second to boot.
  package var leftOut: Set<Part> = []
  /// More kernel parameters, added to the lab's own.
  public var parameters: [String]
  private let machine: GuestMachine

  /// What a guest of the suite can do without.
  package enum Part: String, CaseIterable, Sendable {
    /// The disk that races are run on.
    case scratch
    /// The disk for swap.
    case swap
    /// The virtio port; results then come by the second serial port.
    case port
  }

  /// Describes a run; nothing happens before ``run(onLine:)``.
  public init(
    kernel: Kernel, initExecutable: String, plan: String, modules: [String] = Initramfs.defaultModules,
    accelerator: Accelerator = .tcg, timeout: Duration = .seconds(600), silence: Duration = .seconds(120),
    parameters: [String] = [], qemu: String = "qemu-system-x86_64"
  ) {
    self.kernel = kernel
    payload = .oneShot(initExecutable: initExecutable, plan: plan)
    self.modules = modules
    self.accelerator = accelerator
    self.timeout = timeout
    self.silence = silence
    self.parameters = parameters
    machine = .pc(qemu)
  }

  /// Describes a run of exported programs on a kernel of `architecture`.
  package init(
    kernel: Kernel, programs: [[UInt8]], arguments: String, for architecture: Architecture,
    modules: [String] = Initramfs.defaultModules, accelerator: Accelerator = .tcg,
    timeout: Duration = .seconds(600), silence: Duration = .seconds(120), qemu: String? = nil
  ) {
    self.kernel = kernel
    payload = .exported(programs, arguments: arguments, architecture)
    self.modules = modules
    self.accelerator = accelerator
    self.timeout = timeout
    self.silence = silence
    parameters = []
    machine = .of(architecture, qemu: qemu)
  }

  /// Boots the guest and reports how it ended.
  ///
  /// Whatever the guest does is in the report; an error is thrown only for what keeps it from being started (a bad
  /// executable, an accelerator that isn't there) and when the task is cancelled, which kills the guest.
  ///
  /// - Parameter onLine: receives every complete result line as it comes, on a thread of the run's own.
  public func run(onLine: @escaping @Sendable (String) -> Void = { _ in }) async throws -> GuestReport {
    let clock = ContinuousClock()
    let start = clock.now
    let initramfs = try await initramfs()
    guard let emulator = await machine.qemu.path() else {
      return GuestReport(
        ending: .qemuMissing(name: machine.qemu.name, package: machine.qemu.package),
        missingModules: initramfs.missingModules)
    }
    let accelerator = try await accelerator.probed(machine, kernel: kernel)
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-guest")
    defer { folder.remove() }
    try prepare(folder, initramfs)
    for disk in disks { try await disk.make(in: folder) }
    let image = bootsWhole ? nil : await DirectBoot.prepare(kernel, in: folder)

    let paced = try plainDisks.first(where: \.isPaced).map {
      try PacedDisk(folder.appending($0.name), size: $0.size << 20, DiskPace(depth: depth))
    }
    defer { paced?.close() }
    let command = await HostTool.tied([emulator] + options(folder, image, paced, accelerator))
    let (record, status) = try await execute(command, onStart: folder.remove, onLine: onLine)
    try Task.checkCancellation()
    let console = String(decoding: record.console, as: UTF8.self)
    let evidence = GuestEvidence(
      console: console, lines: record.lines + linesOnConsole(console, record.lines, onLine),
      messages: String(decoding: record.messages, as: UTF8.self), exit: status, watchdog: record.end.watchdog)
    return GuestReport(
      ending: GuestEnding(evidence), console: evidence.console,
      warnings: ConsoleReport.all(in: evidence.console).filter { !$0.isFatal },
      missingModules: initramfs.missingModules, accelerator: accelerator,
      diedUnheard: GuestEnding.diedUnheard(evidence),
      seconds: (clock.now - start) / .seconds(1))
  }

  private func initramfs() async throws -> Initramfs {
    switch payload {
    case .oneShot(let executable, let plan):
      try await Initramfs(
        kernel: kernel, executable: executable, plan: plan, disks: disks, modules: modules,
        prepared: .standard)
    case .exported(let programs, _, let architecture):
      try await Initramfs(kernel: kernel, programs: programs, for: architecture.machine, modules: modules)
    }
  }

  /// Where the kernel has no driver for the port, exported programs tell on the console.
  private func linesOnConsole(
    _ console: String, _ lines: [String], _ onLine: (String) -> Void
  ) -> [String] {
    guard case .exported = payload, lines.isEmpty else { return [] }
    let found = console.split(whereSeparator: \.isNewline).map(String.init).filter {
      $0.hasPrefix("{\"event\":")
    }
    for line in found { onLine(line) }
    return found
  }

  /// Files that QEMU opens at its start.
  private func prepare(_ folder: ScratchFolder, _ initramfs: Initramfs) throws {
    do {
      try Data(initramfs.archive).write(to: URL(fileURLWithPath: folder.appending("initramfs")))
      for (name, size, _, start) in plainDisks {
        try Data(start).write(to: URL(fileURLWithPath: folder.appending(name)))
        guard truncate(folder.appending(name), size << 20) == 0 else { throw Errno(rawValue: errno) }
      }
    } catch {
      throw LabError(
        "cannot write the guest's files to \(folder.path): \(error)", remedy: "make room there or set TMPDIR")
    }
  }

  /// Whether the kernel gets no parameters but its console's.
  package var isPlain = false

  /// Whether the image is started as it is, as anybody would, even if it could be without its decompressor.
  package var bootsWhole = false

  /// Pages under one hazard, for which the disk of races is made.
  package var depth = 1

  private static let raceDisks: [Disk] = [("scratch", 256, true, []), ("swap", 512, false, [])]

  /// Name, MiB, whether it is for races, and the first bytes.
  private typealias Disk = (name: String, size: Int, isPaced: Bool, start: [UInt8])

  /// How many disks a guest of the suite has.
  static let ownDisks = raceDisks.count

  /// The guest's name of a disk of the suite; nil for one that is left out.
  static func device(_ disk: Part, without leftOut: Set<Part>) -> String? {
    let names = raceDisks.map(\.name).filter { Part(rawValue: $0).map(leftOut.contains) != true }
    return names.firstIndex(of: disk.rawValue).map { "/dev/vd\(["a", "b"][$0])" }
  }

  private var plainDisks: [Disk] {
    if case .oneShot = payload {
      return Self.raceDisks.filter { Part(rawValue: $0.name).map(leftOut.contains) != true }
    }
    return [("swap", SwapDisk.size >> 20, false, SwapDisk.header), ("scratch", 16, false, [])]
  }

  /// The disk that guests race on, in words: a rate of loss measured on another says nothing of it.
  static func raceDisk(depth: Int) -> String { "virtio, \(raceDisks[0].size) MiB, \(DiskPace(depth: depth))" }

  /// The options of QEMU after the program's name.
  private func options(
    _ folder: ScratchFolder, _ image: String?, _ paced: PacedDisk?, _ accelerator: Accelerator
  ) -> [String] {
    let formatted: [Disk] = disks.flatMap(\.images).map { ($0, 0, false, []) }
    let disks = (plainDisks + formatted).flatMap { name, _, isPaced, _ in
      let options = ["if=none,id=\(name),cache=unsafe", "virtio-blk-\(machine.bus),drive=\(name)"]
      guard isPaced, let paced else {
        return ["-drive", "file=\(folder.appending(name)),format=raw,\(options[0])", "-device", options[1]]
      }
      // With a thread of its own its I/O need not wait for the emulator's one lock.
      return [
        "-object", "iothread,id=\(name)-thread", "-drive", "\(paced.drive),\(options[0])",
        "-device", "\(options[1]),iothread=\(name)-thread",
      ]
    }
    // The ports are the three standard descriptors, so they need no names that could be left behind: the console
    // is standard output, the results are (unusually) what standard input was opened for writing as.
    var ports = ["-chardev", "file,id=console,path=/proc/self/fd/1"] + machine.console("console")
    if case .oneShot = payload {
      ports += ["-chardev", "file,id=results,path=/proc/self/fd/0", "-serial", "chardev:results"]
    }
    // An emulated UART takes longer to say what a trial did than the trial takes; the guest prefers this port. Without
    // ioeventfd a line is out once its write is over, so that neither power-off nor a crash can be there before it.
    let fastPort =
      leftOut.contains(.port)
      ? []
      : [
        "-device", "virtio-serial-\(machine.bus),ioeventfd=off", "-chardev",
        "file,id=fast,path=/proc/self/fd/0",
        "-device", "virtserialport,chardev=fast,name=repro",
      ]
    return machine.options(accelerator, processors: processors)
      + ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"] + ports + fastPort + disks
      + [
        "-kernel", image ?? kernel.image, "-initrd", folder.appending("initramfs"), "-append",
        commandLine(accelerator),
      ]
  }

  /// The kernel's command line.
  ///
  /// - `loglevel=7`: all but debug messages; `quiet` would hide WARN, which is evidence.
  /// - `oops=panic`: after an oops the dead task's locks and references stay taken, so nothing found later would
  ///   count; the trace is printed, then the guest ends.
  /// - `panic=-1`: a panic reboots at once, and `-no-reboot` makes that QEMU's end.
  /// - `cryptomgr.notests`: the kernel's cryptography tests itself during a tenth of an emulated boot.
  /// - `noreplace-smp`: on one processor an x86 kernel would rewrite each of its lock prefixes, for which an emulated
  ///   boot takes a fifth of a second; with it the code is what it is on two. 7.3 does not know it any more, and would
  ///   give it to /init.
  private func commandLine(_ accelerator: Accelerator) -> String {
    if isPlain { return (machine.consoleParameters + ["panic=-1"]).joined(separator: " ") }
    let rewritesLocks =
      processors == 1 && machine.machine == KernelImage.machine
      && KernelVersion(release: kernel.release).map { $0 < KernelVersion(7, 3) } == true
    let own =
      machine.parameters(accelerator) + ["loglevel=7", "oops=panic", "panic=-1", "cryptomgr.notests"]
      + (rewritesLocks ? ["noreplace-smp"] : []) + parameters
    // What follows two dashes are arguments of /init; a name that the kernel does not know is its environment.
    if case .exported(_, let arguments, _) = payload {
      return (own + ["SWAP=/dev/vda", "SCRATCH=/dev/vdb", "--", arguments]).joined(separator: " ")
    }
    return own.joined(separator: " ")
  }

  private func execute(
    _ command: [String], onStart: @escaping @Sendable () -> Void, onLine: @escaping @Sendable (String) -> Void
  ) async throws -> (GuestPorts.Record, GuestEvidence.Exit) {
    let ports = try GuestPorts()
    var platform = PlatformOptions()
    // A group of its own: Ctrl-C reaches this process, which decides; else QEMU would end on its own and count.
    platform.processGroupID = 0
    let result = try await Subprocess.run(
      .path(FilePath(command[0])), arguments: Arguments(Array(command.dropFirst())),
      environment: .inherit.updating(["LC_ALL": "C"]), platformOptions: platform,
      input: .fileDescriptor(ports.results, closeAfterSpawningProcess: true),
      output: .fileDescriptor(ports.console, closeAfterSpawningProcess: true),
      error: .fileDescriptor(ports.messages, closeAfterSpawningProcess: true)
    ) { execution in
      let record = await ports.listen(timeout: timeout, silence: silence, onStart: onStart, onLine: onLine)
      if record.end != .closed { try? execution.send(signal: .kill) }
      return record
    }
    let exit: GuestEvidence.Exit =
      switch result.terminationStatus {
      case .exited(let code): .exited(Int(code))
      case .signaled(let signal): .signalled(Int(signal))
      }
    return (result.closureResult, exit)
  }
}

extension GuestPorts.End {
  fileprivate var watchdog: GuestEvidence.Watchdog? {
    switch self {
    case .closed: nil
    case .timedOut: .timeout
    case .silent: .silence
    }
  }
}
