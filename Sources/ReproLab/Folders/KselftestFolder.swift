public import Repro

extension RunnerFolder {
  /// A folder for tools/testing/selftests: a program a case, which prints KTAP.
  /// - Parameter keepsSeed: whether the plan's seed goes into it; else each run draws one.
  /// - Throws: SelectionError for a scenario that nobody knows.
  public static func kselftest(_ plan: Plan, keepsSeed: Bool) throws -> RunnerFolder {
    let cases = try plan.expand().cases
    let programs = cases.map { one in
      let words =
        ["./\(executableName)", "format=ktap", "exit-codes=kselftest"]
        + words(one, of: plan, keepsSeed: keepsSeed)
      return File(
        path: "\(one.name).sh",
        text: """
          #!/bin/sh
          # \(one.scenario.summary)
          cd "$(dirname "$0")" || exit 4
          exec \(words.joined(separator: " "))

          """, isProgram: true)
    }
    let names = programs.map(\.path).joined(separator: " \\\n\t")
    return RunnerFolder(
      files: programs + [
        File(
          path: "Makefile",
          text: """
            # SPDX-License-Identifier: MIT
            # Direct I/O under page replacement. Copy this folder to tools/testing/selftests/repro.
            TEST_PROGS := \(names)
            TEST_FILES := \(executableName)
            include ../lib.mk

            """),
        File(
          path: "settings", text: "timeout=\(Int(min(plan.longestCaseSeconds, 3600).rounded(.up)) + 60)\n"),
        File(
          path: "config",
          text: (KernelOptions.boot.filter { !inGuestOnly.contains($0) } + KernelOptions.parts.map(\.option))
            .map { "CONFIG_\($0)=y\n" }.joined()),
      ], executable: executableName)
  }

  private static let executableName = "repro-oneshot"

  /// What only the guests of `repro vm` need.
  private static let inGuestOnly: Set<String> = [
    "64BIT", "BLK_DEV_INITRD", "TTY", "SERIAL_8250", "SERIAL_8250_CONSOLE", "PCI", "VIRTIO_PCI", "VIRTIO_BLK",
  ]
}
