import Foundation
import Repro
import TestHost
import Testing

@testable import ReproLab

/// LTP's runner kirk boots a guest in its own QEMU channel and runs our LTPROOT in it.
@Suite(
  "kirk in a guest", .serialized, .inGuests,
  .enabled(if: ProcessInfo.processInfo.environment["REPRO_EXECUTABLE"] != nil, "set REPRO_EXECUTABLE"),
  .enabled(if: Python.path != nil, "REPRO_PYTHON is set by ./run.sh test"))
struct KirkGuestTests {
  private struct Report: Decodable {
    struct Result: Decodable { var test_fqn: String, status: String, test: Test }
    struct Test: Decodable { var log: String }
    var results: [Result]
  }

  /// The shell that kirk types into: dash edits no lines, and so sends the terminal no questions. The prompt is
  /// one that no kernel message holds.
  private static let start = """
    #!/bin/busybox sh
    /bin/busybox --install -s /bin
    export PATH=/bin HOME=/
    mkdir -p /proc /sys /dev /run /tmp
    mount -t proc proc /proc
    mount -t sysfs sys /sys
    mount -t devtmpfs dev /dev
    mount -t tmpfs run /run
    mount -t tmpfs tmp /tmp
    for module in /modules/*.ko; do insmod "$module"; done
    stty -F /dev/ttyS1 raw -echo
    PS1='kirk> ' setsid cttyhack dash -i
    poweroff -f

    """

  /// A first root: the lab's with its modules, and over it a shell and the LTPROOT in /opt/ltp.
  private static func root(_ kernel: Kernel, _ plan: Plan, oneShot: String) async throws -> [UInt8] {
    func file(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: path))) }
    var cpio = CPIOArchive()
    var folders: Set<String> = []
    func add(_ path: String, _ bytes: [UInt8], _ permissions: Int = 0o755) {
      let parts = path.split(separator: "/").map(String.init)
      for length in 1..<max(parts.count, 1) {
        let folder = parts.prefix(length).joined(separator: "/")
        if folders.insert(folder).inserted { cpio.add(folder, .folder, permissions: 0o755) }
      }
      cpio.add(path, .file(bytes), permissions: permissions)
    }
    add("init", Array(start.utf8))
    add("bin/busybox", try file("/usr/bin/busybox"))
    add("bin/dash", try file("/bin/dash"))
    add("lib/x86_64-linux-gnu/libc.so.6", try file("/lib/x86_64-linux-gnu/libc.so.6"))
    add("lib64/ld-linux-x86-64.so.2", try file("/lib64/ld-linux-x86-64.so.2"))
    let ltp = try RunnerFolder.ltp(plan, keepsSeed: false)
    for one in ltp.files { add("opt/ltp/\(one.path)", Array(one.text.utf8), 0o644) }
    add("opt/ltp/\(ltp.executable)", try file(oneShot))
    let base = try await Initramfs(kernel: kernel, executable: oneShot, plan: "", modules: ["fuse"])
    return base.archive + cpio.finished()
  }

  @Test("it counts each case as the kernel has it", arguments: [("6.1", "fail"), ("6.12", "pass")])
  func channel(name: String, fork: String) async throws {
    let executable = try #require(ProcessInfo.processInfo.environment["REPRO_EXECUTABLE"])
    let python = try #require(Python.path)
    let kernel = try await KernelSource(parsing: name).resolve()
    var plan = Plan(Selection(scenarios: ["control-none", "fork", "move_pages"]), seed: Seed(1))
    plan.selection.schedules = [.staged]
    plan.selection.engines = [.pread]
    plan.selection.memories = [.anon]
    plan.selection.targets = [TargetSpec(.held)]
    plan.trials = 3
    let folder = try TemporaryFolder()
    try Data(try await Self.root(kernel, plan, oneShot: executable + "-oneshot"))
      .write(to: URL(filePath: folder("initrd")))
    // The channel asks for KVM; the last machine option counts.
    let channel =
      "qemu:kernel=\(kernel.image):initrd=\(folder("initrd")):ram=1G:prompt=kirk>:options=-machine accel=tcg"
    let kirk = URL(filePath: python).deletingLastPathComponent().appending(path: "kirk").path
    _ = try Python.run([
      "/usr/bin/env", "LTPROOT=/opt/ltp", "/usr/bin/timeout", "120", kirk, "--no-colors", "--tmp-dir",
      folder.path, "--com", channel, "--sut", "default:com=qemu", "--run-suite", "repro", "--json-report",
      folder("report"),
    ])
    let report = try JSONDecoder().decode(Report.self, from: Data(try folder.read("report").utf8))
    let statuses = Dictionary(uniqueKeysWithValues: report.results.map { ($0.test_fqn, $0.status) })
    // One node only: move_pages lacks something.
    #expect(
      statuses == [
        "control-none.pread.staged": "pass", "fork.pread.staged": fork, "move_pages.pread.staged": "conf",
      ], "\(report.results.map(\.test.log))")
  }
}
