import Foundation
import TestHost
import Testing

/// What `repro matrix` refuses before a guest is started.
@Suite("repro matrix: bad input")
struct MatrixInputTests {
  /// Runs it with a QEMU and an APT that tell when they are called.
  private func refused(_ arguments: String...) throws -> StartedProgram.End {
    let folder = try TemporaryFolder()
    for name in ["qemu-system-x86_64", "apt-get"] {
      try ProgramFile.write("#!/bin/sh\n: > \(folder("called"))\nexit 1\n", to: folder(name))
    }
    try folder.write("no executable", to: "one-shot")
    try folder.write("no kernel", to: "image")
    let words = arguments.map { $0.replacing("FOLDER", with: folder.path) }
    let end = try StartedProgram(
      ["/usr/bin/env", "PATH=\(folder.path):/usr/bin:/bin", StartedProgram.repro, "matrix"]
        + ["--one-shot", folder("one-shot")] + words
    ).finish()
    #expect(!folder.names.contains("called"))
    return end
  }

  @Test(
    "every kernel that is none is named in one line, and nothing boots",
    arguments: [
      ("6.1,nope,7.2,neither", ["'nope' is no kernel", "'neither' is no kernel"]),
      ("6.1,FOLDER/image", ["/image"]), ("nope,/nonexistent/bzImage", ["'nope'", "/nonexistent/bzImage"]),
      (",", ["--kernels names none"]),
    ])
  func names(kernels: String, words: [String]) throws {
    let end = try refused("--kernels", kernels, "fork")
    #expect(end.code == 2 && end.output == "" && end.errorLines.count == 1, "\(end)")
    for word in words { #expect(end.errors.contains(word), "\(end.errors)") }
  }

  @Test("so are architectures that are none, and kernels that they lack")
  func architectures() throws {
    let unknown = try refused("--arch", "arm64,vax", "fork")
    #expect(
      unknown.code == 2 && unknown.errors.contains("--arch vax: one of x86-64, arm64"), "\(unknown.errors)")
    let lacking = try refused("--arch", "arm64-16k,riscv64", "--kernels", "6.1", "fork")
    #expect(lacking.code == 2 && lacking.errorLines.contains("arm64-16k has no kernel 6.1"))
    #expect(lacking.errorLines.last?.contains("none of these architectures has any of these kernels") == true)
    let bad = try refused("--arch", "arm64", "--kernels", "nope", "fork")
    #expect(bad.code == 2 && bad.errors.contains("'nope' is no kernel; give one of 6.1, 6.12, 7.2"))
  }

  @Test("the help tells the exit codes")
  func help() throws {
    let end = try StartedProgram.run("matrix", "--help")
    for words in ["0 all as expected", "1 a cell is unexpected", "2 usage", "3 nothing is unexpected"] {
      #expect(end.output.split(whereSeparator: \.isWhitespace).joined(separator: " ").contains(words))
    }
  }
}
