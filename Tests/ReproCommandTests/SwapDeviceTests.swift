import Foundation
import Glibc
import TestHost
import Testing

/// Swap where somebody wants it, and what protects a device's content and other people's swap.
@Suite(
  "repro run --swap-device", .serialized, .exclusive,
  .enabled(if: Machine.canHold, "needs root and /dev/fuse"))
struct SwapDeviceTests {
  /// Places that this machine has, and what /proc/swaps says of them.
  private static let places: [(String, String)] =
    [("file", "/var/tmp/repro-swap.")]
    + (FileManager.default.fileExists(atPath: "/sys/block/zram0") ? [("zram", "/dev/zram")] : [])

  private static let swapping = [
    "run", "control-none", "--memory", "swapped", "--schedule", "staged", "--engine", "pread", "--target",
    "held",
  ]

  /// A loop device over a file of 32 MiB, while this object lives.
  private final class Disk {
    private let folder: TemporaryFolder
    let path: String

    init() throws {
      folder = try TemporaryFolder()
      try Data("content".utf8).write(to: URL(filePath: folder("image")))
      truncate(folder("image"), 32 << 20)
      let end = try StartedProgram(["losetup", "--find", "--show", folder("image")]).finish()
      path = end.output.trimmingCharacters(in: .whitespacesAndNewlines)
      try #require(path.hasPrefix("/dev/loop"), "\(end.errors)")
    }

    deinit { _ = try? StartedProgram(["losetup", "--detach", path]).finish() }

    /// The first bytes of the file below, as the device left it.
    var content: String {
      let bytes = FileManager.default.contents(atPath: folder("image"))?.prefix(7) ?? Data()
      return String(decoding: bytes, as: UTF8.self)
    }

    /// Turns swap on, as an administrator does.
    func swapOn(priority: String) throws {
      #expect(try StartedProgram(["mkswap", path]).finish().code == 0)
      #expect(try StartedProgram(["swapon", "--priority", priority, path]).finish().code == 0)
    }

    func swapOff() throws { #expect(try StartedProgram(["swapoff", path]).finish().code == 0) }
  }

  /// The lines of /proc/swaps that another run adds to those of `before`.
  private func newSwap(_ run: StartedProgram, since before: HostSnapshot) -> String {
    for _ in 0..<1000 where run.isRunning {
      let swaps = HostSnapshot().swaps
      if swaps != before.swaps { return swaps }
      usleep(5000)
    }
    return ""
  }

  @Test("is where pages go, though other swap is on, which stays as it was", arguments: places)
  func beforeOther(place: String, path: String) throws {
    let disk = try Disk()
    try disk.swapOn(priority: "10")
    defer { try? disk.swapOff() }
    let before = HostSnapshot.quiet()
    let run = try StartedProgram(repro: Self.swapping + ["--swap-device", place, "--time", "1"])
    let own = newSwap(run, since: before).split(separator: "\n").first { $0.contains(path) }
    #expect(own?.split { $0 == " " || $0 == "\t" }.last == "32767", "\(own ?? "")")
    let end = try run.finish()
    #expect(end.code == 0 && end.output.contains("swap on \(place)"), "\(end.output)\(end.errors)")
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before)
  }

  @Test("is taken away by the next run after a kill", arguments: places)
  func killed(place: String, path: String) throws {
    let before = HostSnapshot.quiet()
    let run = try StartedProgram(repro: Self.swapping + ["--swap-device", place, "--time", "20"])
    #expect(newSwap(run, since: before).contains(path))
    kill(run.pid, SIGKILL)
    _ = try run.finish()
    #expect(run.remains(after: 20).isEmpty)
    #expect(HostSnapshot().swaps.contains(path), "nobody was left to take it away")
    #expect(try StartedProgram.run(Self.swapping + ["--trials", "3"]).code == 0)
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before)
  }

  /// A run that is refused: one line, exit code 2.
  private func refused(_ device: String, _ text: String, _ options: String...) throws {
    let end = try StartedProgram.run(Self.swapping + ["--swap-device", device] + options)
    #expect(end.code == 2 && end.output == "" && end.errorLines.count == 1, "\(end.output)\(end.errors)")
    #expect(end.errors.contains(text), "\(end.errors)")
  }

  @Test("is refused where other swap has the highest priority, and that swap stays")
  func notFirst() throws {
    let disk = try Disk()
    try disk.swapOn(priority: "32767")
    defer { try? disk.swapOff() }
    let before = HostSnapshot.quiet()
    try refused("file", "swap on \(disk.path) has the highest priority there is")
    try refused(disk.path, "\(disk.path): open \(disk.path): Device or resource busy", "--overwrite")
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before)
  }

  @Test("keeps a device's content, unless that may be lost")
  func overwrite() throws {
    let disk = try Disk()
    let before = HostSnapshot.quiet()
    try refused(disk.path, "\(disk.path): its content would be lost; name another, or add --overwrite")
    #expect(disk.content == "content")
    let end = try StartedProgram.run(
      Self.swapping + ["--trials", "5", "--swap-device", disk.path, "--overwrite", "--format", "jsonl"])
    #expect(end.code == 0, "\(end.errors)")
    #expect(end.output.contains("\"swap-device\":\"device+overwrite:\(disk.path)\""))
    #expect(disk.content != "content")
    #expect(HostSnapshot.settled(to: before, seconds: 5) == before)
  }
}
