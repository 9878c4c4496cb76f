import Foundation
import Repro
import Synchronization
import TestHost
import Testing

@testable import ReproLab

/// What `repro export --c` writes, run on kernels that have the bugs and on kernels that don't.
@Suite("Exported programs in guests", .serialized, .inGuests)
struct ExportedProgramGuestTests {
  private static let lost: [String: Set<String>] = [
    "5.10": [
      "control-remap", "fork", "fork-child-stays", "fork-child-reads", "fork-remote-store", "fork-read2",
      "mprotect-then-fork", "mprotect", "soft-dirty", "pageout",
    ],
    "6.1": [
      "control-remap", "fork", "fork-child-stays", "fork-child-reads", "fork-remote-store", "fork-read2",
      "mprotect-then-fork",
    ],
    "6.12": ["control-remap"],
    "7.2": ["control-remap"],
  ]

  @Test("each kernel loses what it is known to lose", arguments: lost.keys.sorted())
  func verdicts(kernel: String) async throws {
    let names = Scenario.all.map(\.name).filter { Self.name($0).flatMap { try? CExport($0) } != nil }
    let folder = try ScratchFolder(in: ScratchFolder.temporary, prefix: "repro-test")
    defer { folder.remove() }
    let lines = Mutex<[String]>([])
    let run = GuestRun(
      kernel: try await KernelSource(parsing: kernel).resolve(),
      initExecutable: try await Self.build(names, in: folder), plan: "")
    let report = try await run.run { line in lines.withLock { $0.append(line) } }
    #expect(report.ending == .finished(status: 0), "\(report.ending)\n\(report.console.suffix(2000))")
    let said = lines.withLock { $0 }
    for name in names {
      let status = said.compactMap { line in
        line.hasPrefix("{\"event\":\"verdict\",\"name\":\"\(name)\"") ? line.suffix(2).first : nil
      }
      // Nothing is missing in these guests, so nothing is skipped.
      let isLost = Self.lost[kernel]?.contains(name) == true
      // Since 6.2, and on 6.1 with its later patches, mprotect leads to no write fault: nothing is asked.
      let silent: [Substring.Element] = name == "mprotect" ? ["0", "3"] : ["0"]
      #expect(status.count == 1 && (isLost ? ["1"] : silent).contains(status[0]), "\(name): \(status)")
    }
    let verdict = /^[a-z_-]+: [A-Z]{5,}:/
    let verdicts = report.console.split(whereSeparator: \.isNewline).filter { $0.contains(verdict) }
    print(verdicts.map { "\(kernel): \($0)" }.joined(separator: "\n"))
  }

  private static func name(_ scenario: String) -> CaseName? { CaseName("\(scenario).pread.staged") }

  /// An /init that runs the programs one after the other, each as a child, with swap on.
  private static func build(_ names: [String], in folder: ScratchFolder) async throws -> String {
    let compiler = HostTool(name: "cc", package: "gcc libc6-dev")
    var objects: [String] = []
    func compile(_ name: String, _ source: String, _ options: [String] = []) async throws {
      let path = folder.appending(name)
      try source.write(toFile: path + ".c", atomically: true, encoding: .utf8)
      let outcome = try await compiler.run(options + ["-O2", "-c", "-o", path + ".o", path + ".c"])
      guard outcome.succeeded else { throw LabError(outcome.errors, remedy: "apt-get install gcc libc6-dev") }
      objects.append(path + ".o")
    }
    let identifiers = names.map { $0.replacingOccurrences(of: "-", with: "_") }
    for (name, identifier) in zip(names, identifiers) {
      try await compile(
        identifier, CExport(try #require(Self.name(name))).source, ["-Dmain=main_\(identifier)"])
    }
    let declarations = identifiers.map { "int main_\($0)(int, char **);" }.joined(separator: "\n")
    let table = zip(names, identifiers).map { "{ \"\($0)\", main_\($1) }," }.joined(separator: "\n")
    try await compile(
      "init",
      "\(declarations)\nstruct { const char *name; int (*main)(int, char **); } programs[] = {\(table)};\n"
        + Self.source, ["-w"])
    let linked = try await compiler.run(["-static", "-o", folder.appending("init")] + objects)
    guard linked.succeeded else { throw LabError(linked.errors, remedy: "apt-get install gcc libc6-dev") }
    return folder.appending("init")
  }

  private static let source = """
    #define _GNU_SOURCE
    #include <dirent.h>
    #include <fcntl.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/mount.h>
    #include <sys/reboot.h>
    #include <sys/swap.h>
    #include <sys/syscall.h>
    #include <sys/wait.h>
    #include <unistd.h>

    static void load_modules(void) {
      struct dirent **modules;
      int count = scandir("/modules", &modules, 0, alphasort);
      for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof path, "/modules/%s", modules[i]->d_name);
        syscall(SYS_finit_module, open(path, O_RDONLY), "", 0);
      }
    }

    static void make_swap(void) {
      unsigned int header[1024] = {0}, info[] = {1, 16383, 0};
      int disk = open("/dev/vdb", O_RDWR);
      memcpy((char *)header + 1024, info, sizeof info);
      memcpy((char *)header + 4086, "SWAPSPACE2", 10);
      pwrite(disk, header, sizeof header, 0);
      fsync(disk);
      close(disk);
      swapon("/dev/vdb", 0);
    }

    int main(void) {
      mount("proc", "/proc", "proc", 0, 0);
      mount("sys", "/sys", "sysfs", 0, 0);
      mount("dev", "/dev", "devtmpfs", 0, 0);
      load_modules();
      make_swap();
      int port = open("/dev/ttyS1", O_WRONLY | O_NOCTTY);
      for (int i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        int status = 0;
        char *arguments[] = {"a.out", "20", 0};
        if (fork() == 0) exit(programs[i].main(2, arguments));
        wait(&status);
        dprintf(port, "{\\"event\\":\\"verdict\\",\\"name\\":\\"%s\\",\\"status\\":%d}\\n", programs[i].name,
                WIFEXITED(status) ? WEXITSTATUS(status) : 9);
      }
      dprintf(port, "{\\"event\\":\\"exit\\",\\"status\\":0}\\n");
      reboot(RB_POWER_OFF);
    }
    """
}
