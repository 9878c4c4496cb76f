import Testing

@testable import Repro
@testable import ReproLab

/// A lean guest has what its cases need, and no more.
@Suite("Lean guests")
struct LeanSessionTests {
  private func arguments(
    _ scenario: String, _ schedule: Schedule, target: TargetKind? = nil, isLean: Bool = true
  ) async throws -> String {
    var selection = Selection(scenarios: [scenario])
    (selection.engines, selection.memories, selection.schedules) = ([.pread], [.anon], [schedule])
    selection.targets = target.map { [TargetSpec($0)] } ?? []
    let guest = try FakeGuest([FakeGuest.clean()])
    var session = try guest.session(Plan(selection, seed: Seed(1)))
    session.isLean = isLean
    _ = try await session.run { _ in }
    return guest.arguments
  }

  @Test("a held fork needs no disk and no port")
  func held() async throws {
    let lean = try await arguments("fork", .staged)
    #expect(!lean.contains("virtio") && lean.contains("chardev:results"))
    let usual = try await arguments("fork", .staged, isLean: false)
    #expect(!usual.contains("drive=scratch") && usual.contains("drive=swap"))
    #expect(usual.contains("virtio-serial-pci,ioeventfd=off"))
  }

  @Test("what swaps has the swap disk, and the port with it")
  func swap() async throws {
    let lean = try await arguments("pageout", .staged)
    #expect(lean.contains("drive=swap") && !lean.contains("drive=scratch") && lean.contains("fast"))
    #expect(GuestRun.device(.swap, without: [.scratch]) == "/dev/vda")
    #expect(GuestRun.device(.swap, without: []) == "/dev/vdb")
    #expect(GuestRun.device(.swap, without: [.swap]) == nil)
  }

  @Test("what races, or is held on a disk, has the disk")
  func scratch() async throws {
    for lean in [
      try await arguments("fork", .race), try await arguments("fork", .staged, target: .scratch),
    ] {
      #expect(lean.contains("drive=scratch") && !lean.contains("drive=swap"))
    }
  }

  @Test("a disk with a file system keeps all disks: its name counts them")
  func fileSystems() async throws {
    let lean = try await arguments("fork", .staged, target: .ext4)
    #expect(lean.contains("drive=scratch") && lean.contains("drive=swap") && lean.contains("drive=ext4"))
  }

  @Test("one processor where one will do: two wait for each other")
  func processors() async throws {
    let one = try await arguments("fork", .staged, isLean: false)
    #expect(
      one.contains("-smp 1,sockets=1") && one.contains("nodeid=1,memdev=m1") && one.contains("noreplace-smp"))
    for two in [
      try await arguments("fork", .race), try await arguments("fork-remote-store", .staged),
    ] {
      #expect(two.contains("-smp 2,sockets=2") && two.contains("nodeid=1,cpus=1,memdev=m1"))
      #expect(!two.contains("noreplace-smp"))
    }
  }
}
