import Glibc
import Repro

/// The static executable. What is sealed into it, it runs, and nothing else. Without a seal it runs
/// the plan in its arguments, `key=value` each; as PID 1 the plan in `/plan`, on a machine that it
/// first makes of the bare kernel.
@main
enum OneShot {
  static func main() {
    do throws(SealError) {
      let sealed = try Seal.text(of: "/proc/self/exe")
      if getpid() == 1 { Guest.run(sealed) }
      let arguments = Array(CommandLine.arguments.dropFirst())
      exit(sealed.map { Reproducer($0).run(arguments) } ?? runPlain(arguments))
    } catch {
      fail("\(error)")
    }
  }

  private static var usage: String {
    let keys = PlanKey.all.map { "  \($0.name)=...  \($0.help)" }.joined(separator: "\n")
    return """
      usage: oneshot scenarios=NAME[,NAME...] [KEY=VALUE...]
      Shows whether direct I/O loses data on this kernel.
      \(keys)
        format=...  human, ktap or jsonl.
        exit-codes=...  default, kselftest, ltp, bisect or automake.
      Exit codes: 0 clean, 1 corrupt, 2 error, 3 inconclusive, 4 skipped.

      """
  }

  private static func runPlain(_ arguments: [String]) -> Int32 {
    if arguments.contains("--help") {
      ReportWriter.write(usage, to: STDOUT_FILENO)
      return 0
    }
    // A shard may be of the standard scenarios, which no plan names.
    guard arguments.contains(where: { $0.hasPrefix("scenarios=") || $0.hasPrefix("shard=") }) else {
      fail("nothing is sealed into this file and no scenarios= is given; --help tells more")
    }
    do throws(PlanError) {
      let options = try Options(arguments)
      return Session(plan: options.plan, format: options.format, exitCodes: options.exitCodes).run()
    } catch {
      fail("\(error)")
    }
  }

  /// A plan, and how its outcome is told.
  private struct Options {
    var plan: Plan
    var format = ReportFormat.human
    var exitCodes = ExitCodes.default

    init(_ arguments: [String]) throws(PlanError) {
      var rest: [String] = []
      for argument in arguments {
        if let name = argument.value(of: "format=") {
          guard let format = ReportFormat.small.first(where: { $0.name == name }) else {
            throw PlanError("\(argument): \(ReportFormat.small.map(\.name).joined(separator: ", "))")
          }
          self.format = format
        } else if let name = argument.value(of: "exit-codes=") {
          guard let codes = ExitCodes(rawValue: name) else {
            throw PlanError(
              "\(argument): \(ExitCodes.allCases.map(\.rawValue).joined(separator: ", "))")
          }
          exitCodes = codes
        } else {
          rest.append(argument)
        }
      }
      plan = try Plan(text: rest.joined(separator: "\n"))
    }
  }

  static func fail(_ reason: String) -> Never {
    ReportWriter.write("repro: error: \(reason)\n", to: STDERR_FILENO)
    exit(ExitCodes.default.code(.error))
  }
}

extension String {
  /// What follows `prefix`, if the text begins with it.
  fileprivate func value(of prefix: String) -> String? {
    hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
  }
}
