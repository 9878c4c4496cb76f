import Foundation
import TestHost
import Testing

@testable import Repro
@testable import ReproLab

@Suite("Architectures")
struct ArchitectureTests {
  private static let record = """
    name: a
    machine: aarch64
    page: 4096
    order: little
    debian: arm64
    compiler: cc gcc
    qemu: qemu q
    options: -machine virt
    cpu: max
    parameters: none
    nodes: 2
    console: ttyAMA0 serial
    bus: pci
    lacks: thp soft-dirty
    kernels: 6.1 debian:bookworm/linux-image-arm64, 7.2 debian:forky/linux-image-arm64
    """

  @Test("the records that are built in are complete and differ")
  func standard() {
    #expect(Architecture.names == ["x86-64", "arm64", "arm64-16k", "ppc64le", "s390x", "riscv64"])
    #expect(Set(Architecture.all.map(\.pageSize)) == [4096, 16384, 65536])
    #expect(Architecture.all.filter { $0.byteOrder == "big" }.map(\.name) == ["s390x"])
    for one in Architecture.all {
      let names = one.kernels.map(\.name)
      #expect(names.contains("7.2") && names.contains("6.12"), "\(one.name)")
      #expect(one.options.first == "-machine")
      for word in one.lacks {
        let parts = word.split(separator: "<").map(String.init)
        #expect(Scenario.named(parts[0]) != nil || MemoryKind.named(parts[0]) != nil, "\(word)")
        #expect(parts.count == 1 || parts.count == 2 && KernelVersion(parts[1]) != nil, "\(word)")
      }
    }
  }

  @Test("a record reads back")
  func reads() throws {
    let one = try #require(try Architecture.parse(Self.record).first)
    #expect(one.kernels.map(\.name) == ["6.1", "7.2"] && one.nodes == 2 && one.console.device == .serial)
    #expect(one.lacks == ["thp", "soft-dirty"])
    #expect(one.compiler == Architecture.Tool(program: "cc", packages: "gcc"))
  }

  @Test(
    "a slip in a record is named with its line",
    arguments: [
      ("page: 4096", "page: 5000", "architectures.txt:3:"), ("order: little", "order: middle", ":4:"),
      ("compiler: cc gcc", "compiler: cc", "names no package"), ("nodes: 2", "nodes: 3", ":11:"),
      ("console: ttyAMA0 serial", "console: ttyAMA0 smoke", "is no console"),
      ("bus: pci", "bus: isa", "write pci or ccw"),
      ("bus: pci", "bus: pci\nspeed: 9", "there is no field 'speed'"),
      ("cpu: max\n", "", "has no 'cpu'"), ("6.1 debian", "debian", "fields instead of 2"),
      ("name: a", "name: a\nname: b", "already on line 1"),
    ])
  func slips(from: String, to: String, words: String) {
    let text = Self.record.replacing(from, with: to, maxReplacements: 1)
    let error = #expect(throws: LabError.self) { try Architecture.parse(text) }
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
  }

  @Test("names of architectures in the catalogue are those of records")
  func catalogue() {
    let named = Set(Catalogue.measured.bugs.flatMap(\.measured).compactMap(\.architecture))
    #expect(named.isSubset(of: Architecture.names))
    #expect(!named.isEmpty)
  }

  @Test("of what an architecture lacks nothing is expected, of the rest all")
  func lacks() throws {
    let s390 = try #require(Architecture.named("s390x"))
    func code(_ scenario: String) -> Int32 {
      var matrix = Matrix()
      let skipped = FakeOutcome.result(scenario, .skipped, reason: "not here")
      let rest = FakeOutcome.result("control-none", .clean)
      matrix.add("s390x 7.2", FakeOutcome.outcome("7.2.12", [skipped, rest]), on: s390)
      return matrix.exitCode
    }
    #expect(code("move_pages") == 0 && code("fork") == 3)
    #expect(code("uffd-move") == 3)  // only before 6.8
    #expect(s390.lacks(FakeOutcome.name("uffd-move"), on: KernelVersion(6, 1)))
  }

  @Test("QEMU's options follow the record")
  func options() throws {
    let s390 = try #require(Architecture.named("s390x"))
    let machine = GuestMachine.of(s390)
    #expect(
      machine.options(.tcg, processors: 2).starts(with: [
        "-machine", "s390-ccw-virtio", "-accel", "tcg,thread=multi",
      ]))
    #expect(machine.console("c") == ["-device", "sclpconsole,chardev=c"] && machine.bus == "ccw")
    #expect(!machine.options(.tcg, processors: 2).contains("-numa"))
    let arm = GuestMachine.of(try #require(Architecture.named("arm64")))
    #expect(
      arm.options(.kvm, processors: 2).contains("host") && arm.options(.tcg, processors: 1).contains("-numa"))
    #expect(arm.console("c") == ["-serial", "chardev:c"])
    #expect(arm.parameters(.tcg) == ["console=ttyAMA0"])
    let pc = GuestMachine.pc("qemu-system-x86_64")
    #expect(pc.parameters(.tcg).contains("tsc=reliable") && !pc.parameters(.kvm).contains("tsc=reliable"))
  }

  @Test("a kernel that an architecture lacks is an error that names those it has")
  func kernels() throws {
    let pages = try #require(Architecture.named("arm64-16k"))
    let error = #expect(throws: LabError.self) {
      try KernelSource(parsing: "6.1", profiles: pages.kernels)
    }
    #expect(error?.description.contains("give one of 6.12, 7.2") == true)
  }

  @Test("any kernel takes the disk for swap, whatever its pages and its byte order")
  func swap() {
    let header = SwapDisk.header
    for size in [4096, 16384, 65536] {
      #expect(Array(header[(size - 10)..<size]) == Array("SWAPSPACE2".utf8))
    }
    #expect(Array(header[1024..<1028]) == [1, 0, 0, 0])
    let last = header[1028..<1032].reversed().reduce(0) { $0 << 8 | Int($1) }
    #expect((last + 1) * 65536 == SwapDisk.size)
    // More than twice what guests with base pages of 16 KiB push out, or the kernel takes it for full.
    #expect((last + 1) * 16384 >= 2 * 64 << 20 && (last + 1) * 4096 >= 32 << 20)
  }
}

/// Under which accelerator a machine runs; QEMU is a script.
@Suite("Accelerators of architectures")
struct ArchitectureAcceleratorTests {
  private func probed(
    _ accelerator: Accelerator, script: String, host: String, limit: Duration = .seconds(10)
  ) async throws -> Accelerator {
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    let qemu = folder.appending("qemu")
    try ProgramFile.write(script, to: qemu)
    let image = folder.appending("vmlinuz-1.0")
    try ForeignImageTests.arm64().write(to: URL(filePath: image))
    let arm = try #require(Architecture.named("arm64"))
    let kernel = try Kernel(image: image, architecture: arm)
    return try await accelerator.probed(.of(arm, qemu: qemu), kernel: kernel, host: host, limit: limit)
  }

  @Test("KVM runs only what the host is: others are not even asked")
  func otherHost() async throws {
    let script = "#!/bin/sh\nexit 0\n"
    #expect(try await probed(.auto, script: script, host: "s390x") == .tcg)
    #expect(try await probed(.tcg, script: script, host: "aarch64") == .tcg)
    let error = await #expect(throws: LabError.self) {
      try await probed(.kvm, script: script, host: "s390x")
    }
    #expect(error?.problem == "KVM runs s390x here, not aarch64")
  }

  @Test(
    "on the same host a kernel that gets to its end proves it, and a QEMU that hangs is killed",
    .enabled(if: FileManager.default.isWritableFile(atPath: "/dev/kvm")))
  func sameHost() async throws {
    #expect(try await probed(.auto, script: "#!/bin/sh\nexit 0\n", host: "aarch64") == .kvm)
    #expect(try await probed(.auto, script: "#!/bin/sh\nexit 1\n", host: "aarch64") == .tcg)
    let hangs = "#!/bin/sh\nexec sleep 600\n"
    #expect(try await probed(.auto, script: hangs, host: "aarch64", limit: .milliseconds(200)) == .tcg)
  }
}
