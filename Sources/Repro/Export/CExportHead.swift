// The comment at the head of a program: what it does, why that loses data, which bugs it finds, how to run it.

extension CExport {
  private static let width = 96

  var head: String {
    var lines = Self.wrapped("\(scenario.name): \(scenario.summary). \(how)")
    if !scenario.drawing.isEmpty {
      lines +=
        [""] + scenario.drawing.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
    for bug in Catalogue.measured.bugs(one.name, one.path(on: one.target.kind.path ?? .block)) {
      lines += [""] + Self.wrapped(describe(bug))
    }
    let needs = ["root"] + one.parts.flatMap(\.needs).map(\.name)
    lines += [""] + Self.wrapped("Needs \(needs.joined(separator: ", ")). Build and run:")
    let options =
      one.schedule == .race
      ? "[SECONDS] [PATH]"
      : (isForGuests ? "[--json] " : "") + "[TRIALS]" + (target.holdsByFault ? " [PATH]" : "")
    lines += ["\tgcc -Wall -Wextra -O2 -static \(scenario.name).c && ./a.out \(options)"]
    if target.holdsByFault || one.schedule == .race {
      lines += Self.wrapped("PATH is a folder on the file system to test, or a device whose content is lost.")
    }
    lines += Self.wrapped("Exits with \(exitCodes { "\($0) \($1.rawValue)" }).")
    lines += Self.wrapped(
      "Written by repro \(Campaign.version): repro export --c \(isForGuests ? "" : "--short ")\(one.name)"
    )
    return "/*\n" + lines.map { $0.isEmpty ? " *" : " * \($0)" }.joined(separator: "\n") + "\n */"
  }

  private var how: String {
    if one.schedule == .race {
      return
        "One thread reads with O_DIRECT into a page, one puts it in danger again and again and stores to it, "
        + "one stores to its last byte all the time. What was read must be there; how many reads met the hazard is "
        + "counted."
    }
    let end = " Then the page must hold what was read."
    if scenario.steps.actsBeforeIssue {
      return "The page is put in danger and stored to while it is registered, and then read into." + end
    }
    let holder = target.holdsByFault ? "A missing last page" : "A FUSE server in this program"
    let touches = scenario.steps.toucher == .none ? "" : " and stored to"
    return
      "\(holder) holds an O_DIRECT read in flight until the page under it has been put in danger\(touches), "
      + "so one trial decides." + end
  }

  private func describe(_ bug: Bug) -> String {
    var sentences = ["\(bug.isGuard ? "Guard" : "Bug") \(bug.id): \(bug.summary)."]
    if bug.isGuard {
      sentences.append("No released kernel is known to lack it: \(bug.source).")
    } else {
      sentences.append("Bad: \(bug.bad == .always ? "always" : "since \(bug.bad)")")
      sentences[1] += bug.introduced.map { ", by \($0.hash) (\"\($0.title)\")" }.joined()
      sentences[1] += bug.fixed == .never ? "; not fixed" : "; fixed in \(bug.fixed)"
      sentences[1] += bug.fix.map { ", by \($0.hash) (\"\($0.title)\")" }.joined() + "."
    }
    sentences += bug.cve
    for verdict in [Verdict.corrupt, .clean] {
      let kernels = bug.kernels(corrupt: verdict == .corrupt)
      if kernels.isEmpty { continue }
      sentences.append("Measured \(verdict.rawValue): \(kernels.joined(separator: ", ")).")
    }
    return sentences.joined(separator: " ")
  }

  private static func wrapped(_ text: String) -> [String] { text.wrapped(to: width) }
}
