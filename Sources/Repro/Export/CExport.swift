/// A staged scenario as one C file that needs nothing but libc and the kernel's headers, for those
/// who want to see a loss without this suite.
///
/// Nothing in it is a copy: the frame is `fixtures/export/skeleton.c.in`, the hazard is the
/// ``CFragment`` beside the hazard's own code, and all else comes from the scenario, the layout of
/// a trial, the exit codes and the catalogue of bugs.
public struct CExport {
  private let scenario: Scenario
  private let fragment: CFragment

  /// The program for `scenario`.
  /// - Throws: PlanError for a negative control with a direct write, which is not exported.
  public init(_ scenario: Scenario) throws(PlanError) {
    guard let fragment = scenario.cFragment else {
      throw PlanError(
        "\(scenario.name) can't be exported: only scenarios that read are, a direct write has nothing to lose"
      )
    }
    self.scenario = scenario
    self.fragment = fragment
  }

  /// The program for the scenario of that name.
  /// - Throws: PlanError when there is none, or it can't be exported.
  public init(named name: String) throws(PlanError) {
    guard let scenario = Scenario.all.first(where: { $0.name == name }) else {
      throw PlanError("no scenario '\(name)'; 'repro list' names them all")
    }
    try self.init(scenario)
  }

  /// The C text, in the kernel's style.
  public var source: String {
    let plan = Plan(scenarios: [scenario.name], seed: Seed(0))
    let text = Self.template(PackageResources.skeleton_c_in).filled([
      "head": head,
      "includes": (fragment.includes + (settings.isEmpty ? [] : ["signal.h"])).map { "#include <\($0)>" }
        .joined(separator: "\n"),
      "exitCodes": "enum { \(exitCodes { "\($1.rawValue.uppercased()) = \($0)" }) };",
      "layout": """
      enum { IO_END = \(layout.io.upperBound), STORE_START = \(layout.store.lowerBound), \
      STORE_END = \(layout.store.upperBound) };
      """,
      "name": scenario.name,
      "settings": settings,
      "putBack": settings.isEmpty ? "" : "put_back(0), ",
      "changeSettings": settings.isEmpty
        ? ""
        : """
        for (int i = 0; i < 4; i++)
        \tsignal((int[]){ SIGINT, SIGTERM, SIGHUP, SIGALRM }[i], put_back);
        for (int i = 0; i < \(files.count); i++)
        \tset(settings[i].file, settings[i].value, settings[i].before);
        """,
      "globals": Self.tabbed(fragment.globals),
      "setUp": Self.tabbed(fragment.setUp),
      "prepare": Self.tabbed(fragment.prepare),
      "act": Self.tabbed(fragment.act),
      "settle": fragment.settle.isEmpty
        ? "" : Self.tabbed(fragment.settle) + "\ngood = good && intact(number, before);",
      "again": fragment.canBeRefused
        ? "if (!exposed)\t/* refused because of the read, or always? */\n\texposed = act();" : "",
      "trials": String(plan.limits(.staged).trials),
      "enough": String(plan.minimumExposures(.staged)),
    ])
    return Self.withSortedIncludes(text)
  }

  /// The bytes of a trial: those of ``CellRunner`` on the smallest page there is. On larger pages
  /// the rest of the page is the hazard's but not verified.
  private let layout = Layout(
    .read, length: 4096, pageSize: 4096, alignment: HeldFile.blockSize, storeLength: CellRunner.stagedStore)

  private func exitCodes(_ text: (Int32, Verdict) -> String) -> String {
    Verdict.allCases.map { (ExitCodes.default.code($0), $0) }.sorted { $0.0 < $1.0 }.map(text)
      .joined(separator: ", ")
  }

  /// The settings that are files; swap is not for a small program to make.
  private var files: [String] {
    scenario.settings.compactMap { setting in
      guard case .file(let path, let value, _) = setting else { return nil }
      return "{ \"\(path)\", \"\(value)\", \"\" },"
    }
  }

  private var settings: String {
    if files.isEmpty { return "" }
    return Self.template(PackageResources.settings_c_in).filled([
      "table": files.joined(separator: "\n"), "count": String(files.count),
    ])
  }

  private static func template(_ bytes: [UInt8]) -> Template {
    Template(String(decoding: bytes, as: UTF8.self))
  }

  private static func withSortedIncludes(_ text: String) -> String {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let includes = lines.filter { $0.hasPrefix("#include") }.sorted()
    guard let first = lines.firstIndex(where: { $0.hasPrefix("#include") }) else { return text }
    return (lines[..<first] + includes + lines[(first + includes.count)...]).joined(separator: "\n")
  }

  /// Two leading blanks become a tab.
  private static func tabbed(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { (line: Substring) -> String in
      let blanks = line.prefix { $0 == " " }.count
      return String(repeating: "\t", count: blanks / 2) + line.dropFirst(blanks)
    }.joined(separator: "\n")
  }
}

// MARK: - The comment at the head

extension CExport {
  private static let width = 96

  private var head: String {
    var lines = Self.wrapped(
      """
      \(scenario.name): \(scenario.summary). A FUSE server in this program holds an O_DIRECT read \
      in flight until the page under it has been put in danger and stored to, so one trial decides. \
      Then the page must hold what was read.
      """)
    if !scenario.drawing.isEmpty {
      lines +=
        [""] + scenario.drawing.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
    for bug in Catalogue.standard.bugs(scenario: scenario.name, path: IOPath.fuse.rawValue) {
      lines += [""] + Self.wrapped(describe(bug))
    }
    let needs = ["root"] + scenario.needs.map(\.rawValue)
    lines += [""] + Self.wrapped("Needs \(needs.joined(separator: ", ")). Build and run:")
    lines += ["\tgcc -Wall -Wextra -O2 -static \(scenario.name).c && ./a.out [TRIALS]"]
    lines += Self.wrapped("Exits with \(exitCodes { "\($0) \($1.rawValue)" }).")
    lines += ["Written by repro \(Campaign.version): repro export --c \(scenario.name)"]
    return "/*\n" + lines.map { $0.isEmpty ? " *" : " * \($0)" }.joined(separator: "\n") + "\n */"
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
      let kernels = bug.measured.filter { $0.corrupt == (verdict == .corrupt) }.map(\.version.description)
      if kernels.isEmpty { continue }
      sentences.append("Measured \(verdict.rawValue): \(kernels.joined(separator: ", ")).")
    }
    return sentences.joined(separator: " ")
  }

  private static func wrapped(_ text: String) -> [String] { text.wrapped(to: width) }
}
