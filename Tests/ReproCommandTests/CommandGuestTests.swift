import Foundation
import Glibc
import TestHost
import Testing

/// What the command does with other kernels: REPRO_EXECUTABLE names a release build that has `repro-oneshot`
/// beside it.
@Suite(.serialized, .inGuests)
struct CommandGuestTests {
  private struct Finished {
    var status: Int32
    var output: String
    var errors: String
  }

  private static let executable = ProcessInfo.processInfo.environment["REPRO_EXECUTABLE"] ?? "repro"

  /// Runs a program in `folder`; not through Foundation's Process, whose pipes other children keep open.
  private func run(_ command: [String], in folder: String = ".") throws -> Finished {
    let end = try StartedProgram(["/usr/bin/env", "-C", folder] + command).finish(within: 900)
    return Finished(status: end.code ?? 128 + (end.signal ?? 0), output: end.output, errors: end.errors)
  }

  private func repro(_ arguments: String...) throws -> Finished {
    try run([Self.executable] + arguments)
  }

  private func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = NSTemporaryDirectory() + "repro-guest-tests-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try body(folder)
  }

  /// The image of a stock kernel; resolved by running something on it first.
  private func image(of kernel: String) throws -> String {
    let cache =
      ProcessInfo.processInfo.environment["XDG_CACHE_HOME"] ?? NSHomeDirectory() + "/.cache"
    let paths = FileManager.default.enumerator(atPath: cache + "/repro/kernels")?.compactMap { $0 as? String }
    // Other architectures' kernels are there too.
    let path = paths?.first { $0.contains("/boot/vmlinuz-\(kernel).") && $0.hasSuffix("amd64") }
    return cache + "/repro/kernels/" + (try #require(path))
  }

  /// What `repro matrix --format json` writes.
  private struct Matrix: Decodable {
    struct Cell: Decodable {
      struct Result: Decodable {
        struct Name: Decodable {
          var name: String
          var scenario: String
          var target: String
          var schedule: String
        }
        struct Count: Decodable {
          var exposures: Int
          var losses: Int
        }
        var `case`: Name
        var verdict: String
        var reason: String?
        var path: String?
        var count: Count
      }
      var kernel: String
      var judgement: String
      var result: Result

      /// A race on a busy machine may lack exposures; it may never be wrong.
      var lacksExposures: Bool { result.case.schedule == "race" && result.verdict == "inconclusive" }
    }
    var cells: [Cell]

    /// Verdicts of a kernel by scenario.
    func verdicts(_ kernel: String) -> [String: Set<String>] {
      cells.filter { $0.kernel == kernel }.reduce(into: [:]) {
        $0[$1.result.case.scenario, default: []].insert($1.result.verdict)
      }
    }
  }

  private func matrix(_ arguments: String...) throws -> (status: Int32, cells: Matrix) {
    let finished = try run([Self.executable, "matrix", "--jobs", "1", "--format", "json"] + arguments)
    let cells = try JSONDecoder().decode(Matrix.self, from: Data(finished.output.utf8))
    #expect(finished.status == 0 || cells.cells.contains(where: \.lacksExposures), "\(finished)")
    return (finished.status, cells)
  }

  @Test func `fork loses data on 6.1 and on no fixed kernel`() throws {
    let (status, matrix) = try matrix(
      "--kernels", "6.1,6.12", "--memory", "anon", "--engine", "pread", "--engine", "preadv2", "--engine",
      "libaio", "fork", "control-remap", "control-none")
    #expect(status == 0 || status == 3)
    for kernel in ["6.1", "6.12"] {
      let names = Set(matrix.cells.filter { $0.kernel == kernel }.map(\.result.case.name))
      #expect(names.count == 3 * 3 * 2)
      #expect(names.isSuperset(of: ["fork.pread.staged", "fork.pread.race", "fork.libaio.staged"]))
    }
    for cell in matrix.cells where !cell.lacksExposures {
      let scenario = cell.result.case.scenario
      let isBad = scenario == "control-remap" || scenario == "fork" && cell.kernel == "6.1"
      #expect(cell.result.verdict == (isBad ? "corrupt" : "clean"), "\(cell)")
      #expect(cell.judgement == "expected", "\(cell)")
      #expect(cell.result.count.exposures > 0)
      if cell.result.verdict == "corrupt" && cell.result.case.schedule == "staged" {
        #expect(cell.result.count.losses == cell.result.count.exposures)
      }
    }
  }

  @Test func `a real 5.10 loses what 5.19 mended, and 6.1 only what was left`() throws {
    let (status, matrix) = try matrix(
      "--kernels", "5.10,6.1", "--schedule", "staged", "--engine", "pread", "fork", "mprotect", "soft-dirty",
      "pageout", "control-remap", "control-none")
    #expect(status == 0)
    #expect(
      matrix.verdicts("5.10") == [
        "fork": ["corrupt"], "mprotect": ["corrupt"], "soft-dirty": ["corrupt"], "pageout": ["corrupt"],
        "control-remap": ["corrupt"], "control-none": ["clean"],
      ])
    // With 6.1's later patches mprotect leads to no write fault, so that nothing is asked.
    #expect(
      matrix.verdicts("6.1") == [
        "fork": ["corrupt"], "mprotect": ["skipped"], "soft-dirty": ["clean"], "pageout": ["clean"],
        "control-remap": ["corrupt"], "control-none": ["clean"],
      ])
    let silent = matrix.cells.first { $0.result.verdict == "skipped" }
    #expect(silent?.result.reason?.hasPrefix("not asked:") == true)
  }

  @Test func `the block layer has its own target, and loses on its own kernels`() throws {
    let (status, matrix) = try matrix(
      "--kernels", "6.1,6.12", "--target", "held-block", "--engine", "pread", "fork", "control-none")
    #expect(status == 0)
    #expect(matrix.cells.allSatisfy { $0.result.path == "block" && $0.result.case.target == "held-block" })
    #expect(matrix.verdicts("6.1") == ["fork": ["corrupt"], "control-none": ["clean"]])
    #expect(matrix.verdicts("6.12") == ["fork": ["clean"], "control-none": ["clean"]])
  }

  @Test func `file systems on disks of their own are held by a fault, but for btrfs`() throws {
    let (status, matrix) = try matrix(
      "--kernels", "6.1,6.12", "fork", "control-none", "--target", "ext4", "--target", "xfs", "--target",
      "btrfs", "--schedule", "staged")
    #expect(status == 0)
    // A rule leaves btrfs out.
    #expect(Set(matrix.cells.map(\.result.case.target)) == ["ext4", "xfs"])
    #expect(matrix.cells.allSatisfy { $0.result.path == "block" })
    #expect(matrix.verdicts("6.1") == ["fork": ["corrupt"], "control-none": ["clean"]])
    #expect(matrix.verdicts("6.12") == ["fork": ["clean"], "control-none": ["clean"]])
  }

  @Test func `mapped buffers lose data, each where the catalogue has it`() throws {
    let (status, matrix) = try matrix(
      "--kernels", "6.1,6.12", "mapped-fsync", "mapped-reclaim", "write-to-buffer", "--memory", "ext4-clean",
      "--memory", "btrfs-clean", "--target", "held-block", "--schedule", "staged", "--engine", "pread",
      "--trials", "5")
    #expect(status == 0)
    #expect(
      matrix.verdicts("6.1") == [
        "mapped-fsync": ["clean"], "mapped-reclaim": ["corrupt"], "write-to-buffer": ["corrupt"],
      ])
    // btrfs is the one that loses there.
    #expect(
      matrix.verdicts("6.12") == [
        "mapped-fsync": ["clean", "corrupt"], "mapped-reclaim": ["clean"], "write-to-buffer": ["corrupt"],
      ])
  }

  @Test func `stores to a direct write's buffer show in checksums and in mirrors, and nowhere else`() throws {
    let (status, matrix) = try matrix(
      "--kernels", "6.1,6.12", "unstable-write", "control-buffered", "--target", "suspended", "--target",
      "suspended-btrfs", "--target", "raid1", "--target", "ext4", "--schedule", "staged", "--engine", "pread",
      "--trials", "5")
    #expect(status == 0)
    for cell in matrix.cells {
      let (scenario, target) = (cell.result.case.scenario, cell.result.case.target)
      let isLost = target == "raid1" || target == "suspended-btrfs" && cell.kernel == "6.1"
      #expect(
        cell.result.verdict == (scenario == "unstable-write" && isLost ? "corrupt" : "clean"), "\(cell)")
    }
  }

  @Test func `fork loses data over NFS on 7.2, shallow and deep`() throws {
    for depth in ["1", "16"] {
      let run = try repro(
        "vm", "--kernel", "7.2", "fork", "control-none", "--target", "held-nfs", "--depth", depth, "--trials",
        "5",
        "--format", "ktap")
      #expect(run.status == 1, "\(run.output) \(run.errors)")
      #expect(run.output.contains("not ok"), "\(run.output)")
    }
  }

  @Test func `a bisection finds where fork was fixed and skips a kernel that does not boot`() throws {
    // The first commit that git asks about is the one in the middle, which tells nothing.
    let found = try bisect(["5.10", "6.1", "6.12", "broken", "6.12", "7.2", "7.2"], "fork", fixed: true)
    #expect(found == "2: 6.12")
  }

  @Test func `a bisection finds the commit that broke fork`() throws {
    let found = try bisect(["7.2", "6.12", "6.1", "5.10"], "fork", fixed: false)
    #expect(found == "2: 6.1")
  }

  @Test func `a bisection finds where soft-dirty was fixed`() throws {
    let found = try bisect(["5.10", "6.1", "6.12", "7.2"], "soft-dirty", fixed: true)
    #expect(found == "1: 6.1")
  }

  /// Runs `git bisect run` over commits that stand for kernels, oldest first.
  /// - Returns: the kernel of the commit that it finds.
  private func bisect(_ kernels: [String], _ scenario: String, fixed: Bool) throws -> String {
    try withFolder { folder in
      func git(_ arguments: String...) throws -> Finished {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        let finished = try run(["git"] + identity + arguments, in: folder)
        #expect(finished.status == 0, "git \(arguments): \(finished.output) \(finished.errors)")
        return finished
      }
      _ = try git("init", "-q")
      for (index, kernel) in kernels.enumerated() {
        try kernel.write(toFile: folder + "/kernel", atomically: true, encoding: .utf8)
        _ = try git("add", "kernel")
        _ = try git("commit", "-q", "--allow-empty", "-m", "\(index): \(kernel)")
      }
      // An image that a guest refuses, as a failed build leaves it.
      let whole = try #require(FileManager.default.contents(atPath: image(of: "6.1")))
      try whole.prefix(100_000).write(to: URL(fileURLWithPath: folder + "/broken"))
      let script = """
        #!/bin/sh
        kernel=$(cat kernel)
        [ "$kernel" = broken ] && kernel=$PWD/broken
        exec \(Self.executable) bisect \(fixed ? "--fixed " : "")--kernel "$kernel" \(scenario)
        """
      try script.write(toFile: folder + "/step", atomically: true, encoding: .utf8)
      _ = try git("bisect", "start", "HEAD", "HEAD~\(kernels.count - 1)")
      _ = try git("bisect", "run", "sh", "./step")
      return try git("log", "-1", "--format=%s", "refs/bisect/bad").output
        .trimmingCharacters(in: .whitespacesAndNewlines)
    }
  }

  @Test func `a kernel without its modules skips with reasons, and says nothing of good`() throws {
    try withFolder { folder in
      let kernel = folder + "/bzImage"
      try FileManager.default.copyItem(atPath: image(of: "6.1"), toPath: kernel)
      let run = try repro("vm", "--kernel", kernel, "fork", "--engine", "pread")
      #expect(run.status == 4, "\(run.output) \(run.errors)")
      #expect(run.output.contains("CONFIG_FUSE_FS"))
      #expect(run.output.contains("/dev/vda"))
      #expect(try repro("bisect", "--kernel", kernel, "fork").status == 125)
    }
  }

  @Test func `images that are no kernels, and a missing QEMU, each have their message`() throws {
    try withFolder { folder in
      let cut = folder + "/cut"
      let whole = try #require(FileManager.default.contents(atPath: image(of: "6.1")))
      try whole.prefix(100_000).write(to: URL(fileURLWithPath: cut))
      for (kernel, words) in [
        (cut, "truncated"), ("/etc/passwd", "not an x86 kernel"), ("9.99", "no kernel"),
      ] {
        let run = try repro("vm", "--kernel", kernel, "fork")
        #expect(run.status == 2)
        #expect(run.errors.contains(words), "\(run.errors)")
        #expect(run.errors.split(separator: "\n").count == 1)
        #expect(try repro("bisect", "--kernel", kernel, "fork").status == 125)
      }
      let path = "/nonexistent"
      let run = try run(["PATH=\(path)", Self.executable, "vm", "--kernel", image(of: "6.1"), "fork"])
      #expect(run.status == 2)
      #expect(run.errors.contains("apt-get install qemu-system-x86"), "\(run.errors)")
    }
  }

  @Test func `a guest killed in the middle is an error, and leaves no QEMU behind`() throws {
    let run = try StartedProgram(
      ["/usr/bin/env", Self.executable] + [
        "vm", "--kernel", "6.1", "fork", "--time", "60", "--schedule", "staged",
      ])
    let guest = try #require(run.descendant("qemu-system-x86", within: 60))
    Thread.sleep(forTimeInterval: 5)
    kill(guest, SIGKILL)
    let end = try run.finish()
    // It may have lost data before it died, and a loss stands.
    #expect(end.code == 1 || end.code == 2 && end.errors.contains("killed by signal 9"), "\(end)")
    #expect(run.remains(after: 5).isEmpty)
  }

  @Test func `an interrupted vm run ends its guest`() throws {
    let run = try StartedProgram(
      ["/usr/bin/env", Self.executable] + ["vm", "--kernel", "6.1", "fork", "--time", "60"])
    let guest = try #require(run.descendant("qemu-system-x86", within: 60))
    Thread.sleep(forTimeInterval: 3)
    kill(run.pid, SIGTERM)
    #expect(try run.finish().code == 128 + SIGTERM)
    #expect(run.remains(after: 5).isEmpty)
    #expect(kill(guest, 0) == -1)
  }

  @Test func `calibration makes a race's good possible, and without it there is none`() throws {
    try withFolder { folder in
      let rates = folder + "/rates.json"
      let race = ["--schedule", "race", "--rates", rates, "fork"]
      #expect(try run([Self.executable, "bisect", "--kernel", "6.12"] + race).status == 125)
      let calibrated = try repro("calibrate", "--kernel", "6.1", "--rates", rates, "--time", "5", "fork")
      #expect(calibrated.status == 0, "\(calibrated.output) \(calibrated.errors)")
      let good = try run([Self.executable, "bisect", "--kernel", "6.12"] + race)
      #expect(good.status == 0, "\(good.output) \(good.errors)")
      #expect(good.output.contains("good is sure at 0.999"))
      #expect(try run([Self.executable, "bisect", "--kernel", "6.1"] + race).status == 1)
    }
  }

  @Test func `a report from a guest is replayed there`() throws {
    try withFolder { folder in
      let report = folder + "/report.jsonl"
      let made = try repro(
        "vm", "--kernel", "6.1", "fork", "--schedule", "staged", "--engine", "pread", "--trials", "3",
        "--format", "jsonl", "--output", report)
      #expect(made.status == 1, "\(made.errors)")
      let again = try repro("replay", "\(report)#2", "--kernel", "6.1", "--times", "5")
      #expect(again.status == 1)
      #expect(again.output.contains("in 5 runs now, data was lost in 5, with the same damage in 5"))
      let here = try repro("replay", "\(report)#2", "--kernel", "6.12", "--times", "5")
      #expect(here.output.contains("data was lost in 0"), "\(here.output)")
      #expect(here.status == 0)
    }
  }

  @Test func `swap is where it is told to be, and what zram does not give is skipped with what was seen`()
    throws
  {
    for kernel in ["6.1", "7.2"] {
      let run = try repro(
        "vm", "--kernel", kernel, "pageout", "--schedule", "staged", "--engine", "pread", "--target", "held",
        "--memory", "swapped", "--memory", "swap-cache", "--trials", "5", "--swap-device", "zram",
        "--format", "jsonl")
      #expect(run.status == 0, "\(run.output)\(run.errors)")
      #expect(run.output.contains(#""swap-device":"zram""#))
      #expect(
        run.output.contains("kpageflags: not in the swap cache; swap is on /dev/zram0, from"), "\(kernel)")
    }
  }
}
