import Foundation
import Glibc
import TestHost
import Testing

@testable import Repro

@Suite(
  "Control groups of our own", .serialized, .exclusive,
  .enabled(if: Need.memoryCgroup.missing() == nil && Machine.canHold, "needs root and a memory cgroup"))
struct CgroupSettingTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func open() throws(HostStateError) -> HostState {
    try HostState(folder: folder("journal-folder"), allowed: [])
  }

  private var ours: [String] {
    let top = Cgroup.hierarchy(of: .memory)?.mountPoint ?? ""
    let names = (try? FileManager.default.contentsOfDirectory(atPath: top)) ?? []
    return names.filter { $0.hasPrefix("repro.\(getpid()).") }
  }

  @Test("this process is in the last one, and where it was before once they are gone", arguments: [1, 2])
  func enterAndLeave(count: Int) throws {
    let before = try #require(Cgroup.hierarchy(of: .memory)).own()
    let state = try open()
    let names = Array(["one", "two"].prefix(count))
    try state.apply(names.map { .cgroup(.memory, $0) })
    let last = try Cgroup(.memory, names[count - 1])
    #expect(try last.hierarchy.own() == last.path)
    #expect(ours.count == count)
    state.close()
    #expect(try last.hierarchy.own() == before)
    #expect(ours == [])
    #expect(folder.names == [])
  }

  @Test("a cpuset is told what its processes may use before they enter")
  func cpuset() throws {
    guard Need.cpusetCgroup.missing() == nil else { return }
    let state = try open()
    defer { state.close() }
    try state.apply([.cgroup(.cpuset, "nodes")])
    let group = try Cgroup(.cpuset, "nodes")
    #expect(try group.hierarchy.own() == group.path)
  }

  /// As after a SIGKILL of all of a run.
  @Test("what a killed run left is removed by the next, and its processes go back")
  func leftovers() throws {
    let group = try Cgroup(.memory, "left")
    let origin = try group.hierarchy.own()
    try group.make()
    let child = try Process.run(URL(filePath: "/bin/sleep"), arguments: ["60"])
    defer { child.terminate() }
    try group.write("cgroup.procs", "\(child.processIdentifier)")
    try FileManager.default.createDirectory(
      atPath: folder("journal-folder"), withIntermediateDirectories: false)
    try folder.write("cgroup\t\(group.path)\t\(origin)\n", to: "journal-folder/journal")
    try open().close()
    #expect(ours == [])
    let members = try KernelFile.read("\(origin)/cgroup.procs").split(separator: "\n")
    #expect(members.contains("\(child.processIdentifier)"))
  }

  @Test("a journal that names another folder is not obeyed", arguments: ["repro.1.x", "precious"])
  func notOurs(name: String) throws {
    try FileManager.default.createDirectory(atPath: folder(name), withIntermediateDirectories: false)
    try FileManager.default.createDirectory(
      atPath: folder("journal-folder"), withIntermediateDirectories: false)
    try folder.write("cgroup\t\(folder(name))\t/sys/fs/cgroup\n", to: "journal-folder/journal")
    let state = try open()
    #expect(state.leftovers.contains { $0.contains("no group of ours") })
    state.close()
    #expect(folder.names == [name])
  }

  @Test("a name is not enough: what is there must be in a hierarchy of groups")
  func otherFolders() throws {
    try FileManager.default.createDirectory(atPath: folder("repro.1.a"), withIntermediateDirectories: false)
    #expect(!Cgroup.isOurs(folder("repro.1.a")))
    #expect(!Cgroup.isOurs("/sys/fs/cgroup"))
  }

  /// The limit takes what is charged to the group, and a page of another is left alone.
  @Test("the limit reclaims the group's pages alone", .enabled(if: Need.pageCgroups.missing() == nil))
  func charges() throws {
    let state = try open()
    defer { state.close() }
    let map = try PageMap()
    let outside = try page()
    try state.apply([.swap, .cgroup(.memory, "limit")])
    let inside = try page()
    let group = try Cgroup(.memory, "limit")
    let frames = try [outside, inside].map { try #require(try map.entry(of: $0.base).frame) }
    #expect(Cgroup.charged(frames[1]) == group.inode)
    #expect(Cgroup.charged(frames[0]) != group.inode)
    for attempt in 0..<10 {
      // A new page waits in a list of the CPU that it was stored to on, where reclaim does not find it.
      if attempt > 0 { usleep(10_000) }
      try advise(MADV_COLD, "MADV_COLD", inside.base, inside.length)
      try group.reclaim()
      if try map.entry(of: inside.base).isSwapped { break }
    }
    #expect(try map.entry(of: inside.base).isSwapped)
    #expect(try map.entry(of: outside.base).isPresent)
  }

  private func page() throws -> AddressRange {
    let range = try AddressRange(length: kernelPageSize)
    try AddressRange.map(range.base, range.length, MAP_PRIVATE | MAP_ANONYMOUS)
    memset(range.base, 1, range.length)
    return range
  }
}
