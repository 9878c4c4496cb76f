import Foundation
import Testing

/// What runs on the kernel under test must build and be right on arm64 too, with pages of any size.
@Suite("Portability")
struct PortabilityTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    .standardized

  /// The lines of the sources of `folder`, without comments.
  private static func lines(_ folder: String, _ extensions: Set<String>) -> [(place: String, text: String)] {
    let files = FileManager.default.enumerator(
      at: root.appending(path: folder), includingPropertiesForKeys: nil)
    return (files?.compactMap { $0 as? URL } ?? []).filter { extensions.contains($0.pathExtension) }
      .flatMap { file -> [(String, String)] in
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        let code = text.replacing(/\/\*(.|\n)*?\*\//) { match in
          String(repeating: "\n", count: match.output.0.count { $0 == "\n" })
        }.replacing(/\/\/.*/, with: "")
        return code.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map {
          ("\(file.lastPathComponent):\($0 + 1)", String($1))
        }
      }
  }

  /// Numbers that are right on x86-64 only, by what they are.
  static func offence(in line: String) -> String? {
    if line.contains(/\bsyscall\s*\(\s*\d/) { return "a system call by its number" }
    if line.contains(/\b__NR_\w+\s+\d/) || line.contains(/#define\s+SYS_\w+\s+\d/) {
      return "the number of a system call"
    }
    if line.contains(/(?i)page\w*\s*[=:*\/%]+\s*(4096|0x1000)\b/) { return "a size of pages" }
    if line.contains(/\b(4096|0x1000)\s*\*\s*page|<<\s*12\b|>>\s*12\b|[\/%]\s*(4096|0x1000)\b/) {
      return "a size of pages"
    }
    if line.contains(/\bPAGE_S(IZE|HIFT)\b/) { return "a size of pages that the compiler knows" }
    if line.contains(/\bSYS_\w+(\s*:\s*\w+)?\s*=\s*\d/) { return "the number of a system call" }
    if line.contains(/[&|]\s*~?\s*\(?\s*(4095|0x0*fff)\b|\b(4096|0x1000)\s*-\s*1\b/) {
      return "a mask of pages"
    }
    // An empty one is the compiler's barrier, which every architecture has.
    if line.contains(/\b(__)?asm(__)?\s*(volatile)?\s*\(\s*"[^"]/) { return "one architecture's instruction" }
    if line.contains(/\b__(x86_64|i386|aarch64|amd64)(__)?\b|#if\s+!?arch\(/) { return "one architecture" }
    if line.contains(/(immintrin|x86intrin)\.h|\b__builtin_ia32_|\b_mm\d*_|\b__rdtsc\b/) {
      return "one architecture"
    }
    return nil
  }

  /// Where a number is no page's: the layout of an exported program is that of the smallest page.
  private static let allowed = ["CExport.swift": ["length: 4096, pageSize: 4096"]]

  @Test("the sources rest on no size of pages, number of a system call, or register of x86-64")
  func sources() {
    let lines =
      Self.lines("Sources/Repro", ["swift"]) + Self.lines("Sources/CKernel", ["c", "h"])
      + Self.lines("Sources/OneShot", ["swift"]) + Self.lines("fixtures/export", ["in"])
    #expect(lines.count > 5000)
    for (place, text) in lines {
      let exceptions = Self.allowed[String(place.prefix { $0 != ":" })] ?? []
      if exceptions.contains(where: text.contains) { continue }
      #expect(Self.offence(in: text) == nil, "\(place): \(text)")
    }
  }

  @Test(
    "the scan sees what it is for",
    arguments: [
      "syscall(323, flags)", "#define SYS_userfaultfd 323", "let pageSize = 4096", "count / page * 4096",
      "address >> 12", "offset = page << 12", "asm volatile(\"cpuid\")", "#if arch(x86_64)",
      "#ifdef __x86_64__",
      "let SYS_memfd_create: Int = 319", "address & ~4095", "address & 0xfff", "start & ~(4096 - 1)",
      "let frame = address / 4096", "offset % 0x1000", "x / PAGE_SIZE", "__asm__ volatile (\"pause\")",
      "#if !arch(arm64)", "#include <immintrin.h>", "__builtin_ia32_pause();", "_mm_pause();",
      "#if defined(__i386__)",
    ])
  func fires(line: String) { #expect(Self.offence(in: line) != nil) }

  @Test(
    "and nothing else",
    arguments: [
      "syscall(SYS_userfaultfd, O_CLOEXEC)", "let pageSize = kernelPageSize", "blockSize: 4096", "x << 1",
      "uint8_t chunk[4096]", "flags & 0xffff", "[0 ... 4095] = DATA", "address & (page_size - 1)",
      "__asm__ volatile(\"\" ::: \"memory\");",
    ])
  func silent(line: String) { #expect(Self.offence(in: line) == nil) }

  @Test(
    "the C compiles without a warning for every architecture whose compiler is here",
    arguments: ["aarch64", "s390x", "powerpc64le", "riscv64"])
  func compiles(machine: String) throws {
    let compiler = "/usr/bin/\(machine)-linux-gnu-gcc"
    guard FileManager.default.isExecutableFile(atPath: compiler) else { return }
    let folder = Self.root.appending(path: "Sources/CKernel")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".c") }
    for file in files.sorted() {
      let process = Process()
      process.executableURL = URL(filePath: compiler)
      process.currentDirectoryURL = folder
      process.arguments = ["-Wall", "-Wextra", "-Werror", "-O1", "-Iinclude", "-fsyntax-only", file]
      let pipe = Pipe()
      process.standardError = pipe
      try process.run()
      let errors = try pipe.fileHandleForReading.readToEnd() ?? Data()
      process.waitUntilExit()
      #expect(process.terminationStatus == 0, "\(file): \(String(decoding: errors, as: UTF8.self))")
    }
  }
}
