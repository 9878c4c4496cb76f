import CKernel
import Glibc
import Repro

/// What the init process of a guest does. The host gets events as JSON lines on a virtio port or the
/// second serial port, the last of them `{"event":"exit","status":N}`; the console stays the kernel's.
enum Guest {
  private static let serialPort = "/dev/ttyS1"
  private static let moduleFolder = "/modules"
  private static let planPath = "/plan"
  private static let diskList = "/disks"

  /// - Parameter sealed: what is sealed into the executable; it goes before `/plan`, and is
  ///   reported for people, on the console.
  static func run(_ sealed: String?) -> Never {
    for (type, folder) in [
      ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/run"), ("tmpfs", "/tmp"),
    ] {
      complain("mount \(folder)", ck_mount(type, folder))
    }
    mountIfKnown("cgroup2", "/sys/fs/cgroup")
    if !Cgroup.unifiedMovesMemory {
      complain("mount /dev/cpuset", ck_mount_cgroup(Cgroup.Controller.cpuset.rawValue, "/dev/cpuset"))
    }
    mountIfKnown("debugfs", "/sys/kernel/debug")
    complain("bring lo up", ck_loopback_up())
    // What can't be undone may be done here: the next boot is a new machine.
    OwnMachine.declare()
    setenv("NO_COLOR", "1", 1)  // the terminal is the kernel's console, whose log somebody keeps
    loadModules()
    mountDisks()
    let port = openPort()
    let status = sealed.map { Reproducer($0).run([]) } ?? runPlan(port)
    ReportWriter.write("{\"event\":\"exit\",\"status\":\(status)}\n", to: port)
    tcdrain(port)
    complain("power off", ck_power_off())
    exit(status)
  }

  private static func runPlan(_ port: CInt) -> Int32 {
    do {
      let plan = try Plan(text: try KernelFile.read(planPath))
      var session = Session(plan: plan, format: .jsonl, exitCodes: .default, output: port)
      session.showsProgress = false  // the console is the kernel's
      return session.run()
    } catch {
      let reason =
        "\(planPath): \(error); if repro and the guest's program are of different builds: "
        + SuiteFingerprint.remedy
      ReportWriter.write("repro: \(reason)\n", to: STDERR_FILENO)
      for line in JSONLinesReport().broken(reason) { ReportWriter.write(line + "\n", to: port) }
      return ExitCodes.default.code(.error)
    }
  }

  /// A kernel without it makes no folder for it.
  private static func mountIfKnown(_ type: String, _ folder: String) {
    if access(folder, F_OK) == 0 { complain("mount \(folder)", ck_mount(type, folder)) }
  }

  /// In the order of their names, which is that of their dependencies.
  private static func loadModules() {
    for name in names(in: moduleFolder).filter({ $0.hasSuffix(".ko") }).sorted() {
      let result = ck_load_module("\(moduleFolder)/\(name)")
      if result != -EEXIST { complain("load module \(name)", result) }
    }
  }

  /// Each line of the list is a disk: its name, what lies over it, its file system, and the devices.
  private static func mountDisks() {
    guard let list = try? KernelFile.read(diskList) else { return }
    for line in list.split(separator: "\n") {
      guard let (disk, devices) = GuestDisk.reading(line) else { continue }
      do {
        let device = try disk.assemble(over: devices)
        guard let fileSystem = disk.fileSystem else { continue }
        complain("mount \(device) on \(disk.folder)", ck_mount_from(device, fileSystem, disk.folder))
      } catch {
        ReportWriter.write("repro: \(error)\n", to: STDERR_FILENO)
      }
    }
  }

  private static func names(in path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      names.append(
        withUnsafeBytes(of: entry.pointee.d_name) {
          String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        })
    }
    return names
  }

  /// The virtio port if there is one: an emulated UART takes milliseconds a line.
  private static func openPort() -> CInt {
    let virtio = names(in: "/dev").first { $0.hasPrefix("vport") }.map { "/dev/\($0)" }
    let path = virtio ?? serialPort
    let port = open(path, O_WRONLY | O_NOCTTY)
    if port < 0 {
      complain("open \(path)", -errno)
      return STDOUT_FILENO
    }
    // Raw: the line discipline would turn \n into \r\n.
    var settings = termios()
    if tcgetattr(port, &settings) == 0 {
      cfmakeraw(&settings)
      tcsetattr(port, TCSANOW, &settings)
    }
    return port
  }

  private static func complain(_ what: String, _ result: CInt) {
    if result < 0 {
      ReportWriter.write("repro: \(what): \(String(cString: strerror(-result)))\n", to: STDERR_FILENO)
    }
  }
}
