import Foundation
import Repro

/// docs/benchmarks.md.
struct Page {
  let results: [(subject: Subject, rows: [Row])]

  init(_ results: [(subject: Subject, rows: [Row])]) { self.results = results }

  var text: String {
    let how = results.map { "- **\($0.subject.name)**: \($0.subject.how)" }
    return """
      # How fast it is

      Made by `./run.sh bench --markdown > docs/benchmarks.md`; `./run.sh bench NAME` measures one. Ratios are of
      figures from the same run. \(machine)

      \(Row.markdown(results.flatMap(\.rows)))

      How each is measured:

      \(how.joined(separator: "\n"))
      """
  }

  private var machine: String {
    let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
    let model = lines.first { $0.hasPrefix("model name") }?.split(separator: ":").last ?? " unknown CPU"
    var names = utsname()
    uname(&names)
    let release = withUnsafeBytes(of: names.release) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    return
      "This machine:\(model), \(sysconf(CInt(_SC_NPROCESSORS_ONLN))) CPUs, Linux \(release); guests under QEMU TCG."
  }
}
