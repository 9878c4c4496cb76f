/// Writes a case as one C program without dependencies, to read and to send.
///
/// The text is composed of what the case's parts have in C; what they have in common is in
/// `fixtures/export/skeleton.c.in` or, of a race, `race.c.in`. Numbers and words come from where the suite has them: the layout of
/// a trial, the exit codes and the catalogue of bugs.
public struct CExport {
  let one: Case
  let fragment: CFragment
  let target: CTarget
  let memory: CMemory
  /// Whether the program is also for guests: it tells the suite's events when it is asked to (`--json`), and as process
  /// 1 makes a machine of a bare kernel and runs itself and others.
  public var isForGuests = false

  var scenario: Scenario { one.scenario }

  /// The program for `one`.
  /// - Throws: PlanError for a case that can't be written in C.
  public init(_ one: Case) throws(PlanError) {
    if let reason = one.exclusion(depth: 1) { throw PlanError("\(one.name) means nothing: \(reason)") }
    func refusal(_ reason: String?) -> PlanError {
      PlanError("\(one.name) can't be exported: \(reason ?? "nobody wrote its C yet")")
    }
    guard let fragment = one.scenario.c else { throw refusal(one.scenario.withoutC) }
    guard let memory = one.memory.c else { throw refusal(one.memory.withoutC) }
    guard let target = one.target.kind.c else { throw refusal(one.target.kind.withoutC) }
    if one.schedule == .race {
      guard fragment.isFreeRunning else {
        throw refusal("as a race, since more than its one act belongs to a trial; export it staged")
      }
      guard memory.enter.isEmpty, memory.prove.isEmpty else {
        throw refusal("as a race on \(one.memory.name), which has to be proved each time; export it staged")
      }
    } else if target.holdsByFault, one.scenario.steps.toucher == .secondRead {
      throw refusal("a fault holds one read, and this has two")
    }
    self.one = one
    self.memory = memory
    self.fragment = fragment
    self.target = target
  }

  /// The program for the case of that name.
  /// - Throws: PlanError when there is none, or it can't be written in C.
  public init(_ name: CaseName) throws(PlanError) {
    let selection = Selection(name)
    let chosen = Scenario.named(name.scenario).map { [$0] } ?? []
    let (cases, excluded) = selection.expand(chosen, depth: 1)
    guard let one = cases.first else {
      throw PlanError("\(name) means nothing: \(excluded.first?.reason ?? "no part of that name")")
    }
    try self.init(one)
  }

  private var parts: [any CPart] { [memory, one.engine.c, target, fragment] }

  /// The C text, in the kernel's style.
  public var source: String {
    let isRace = one.schedule == .race
    let values = common.merging(isRace ? [:] : staged) { $1 }
    let template = isRace ? PackageResources.race_c_in : PackageResources.skeleton_c_in
    return Self.withSortedIncludes(Self.template(template).filled(values))
  }

  /// What both kinds of programs have.
  private var common: [String: String] {
    func together(_ field: (any CPart) -> String) -> String {
      Self.tabbed(parts.map(field).filter { !$0.isEmpty }.joined(separator: "\n\n"))
    }
    let plan = Plan(Selection(one.name), seed: Seed(0))
    var shared: [String] = []
    for text in parts.flatMap(\.uses) where !shared.contains(text) { shared.append(text) }
    var includes = Set(parts.flatMap(\.includes))
    if !files.isEmpty { includes.insert("signal.h") }
    var values: [String: String] = [:]
    values["head"] = head
    values["includes"] = Self.including(includes)
    values["exitCodes"] = "enum { \(exitCodes { "\($1.rawValue.uppercased()) = \($0)" }) };"
    values["layout"] =
      "enum { IO_END = \(layout.io.upperBound), STORE_START = \(layout.touch.lowerBound), "
      + "STORE_END = \(layout.touch.upperBound) };"
    values["name"] = scenario.name
    values["fill"] = memory.fill
    values["settings"] = settings
    values["settingsHead"] = files.isEmpty ? "" : "static void change_settings(void);"
    values["changeSettings"] = files.isEmpty ? "" : "change_settings();"
    values["putBack"] = files.isEmpty ? "" : "put_back(0);"
    values["globals"] = [Self.tabbed(shared.joined(separator: "\n\n")), together(\.globals)]
      .filter { !$0.isEmpty }.joined(separator: "\n\n")
    values["setUp"] = Self.tabbed(parts.map(\.setUp).filter { !$0.isEmpty }.joined(separator: "\n"))
    values["sizeOfMap"] =
      memory.mapSize.isEmpty
      ? ""
      : "/* The size of what renew() maps. */\n" + Self.function("size_t size_of_map(void)", memory.mapSize)
    values["mapSizeIs"] = memory.mapSize.isEmpty ? "page_size" : "size_of_map()"
    values["renew"] = Self.tabbed(memory.renew)
    values["read"] = Self.tabbed(read)
    values["act"] = Self.tabbed(fragment.act)
    values["init"] = forGuests(String(decoding: PackageResources.init_c_in, as: UTF8.self))
    let more = (files.isEmpty ? [] : ["changes settings"]) + (isForGuests ? ["is process 1"] : [])
    values["restMore"] = more.isEmpty ? "" : ", " + more.joined(separator: ", ")
    let isRace = one.schedule == .race
    values["guestDeclared"] = forGuests(
      (isRace ? "" : "static bool json;\t\t/* whether to tell programs and not people */\n")
        + "static __attribute__((noreturn)) void be_init(char **argv);")
    values["guestBegun"] = forGuests("if (getpid() == 1)\n\tbe_init(argv);" + (isRace ? "" : Self.takeJSON))
    values["restIncludes"] = forGuests(Self.including(Set(Self.initIncludes).subtracting(includes)))
    values["trials"] = String(plan.limits(one.schedule).trials)
    values["enough"] = String(plan.minimumExposures(one.schedule))
    return values
  }

  /// What programs have that hold the read.
  private var staged: [String: String] {
    let held = target.holdsByFault ? PackageResources.hold_fault_c_in : PackageResources.hold_fuse_c_in
    let isFuse = !target.holdsByFault
    // What only the target needs stands where it is opened.
    let used: [any CPart] = [memory, one.engine.c, fragment] + (isFuse ? [] : [target])
    var includes = Set(used.flatMap(\.includes) + (isFuse ? ["linux/fuse.h"] : []))
    if scenario.steps.actsBeforeIssue { includes.insert("poll.h") }
    var values: [String: String] = [:]
    values["includes"] = Self.including(includes)
    values["reportHead"] = String(decoding: PackageResources.report_head_c_in, as: UTF8.self)
    values["begin"] = Self.tabbed(fragment.begin)
    values["store"] = memory.store
    values["enter"] = Self.tabbed(memory.enter)
    values["prove"] = Self.tabbed(memory.prove)
    var rest = Set(["stdarg.h", "sys/utsname.h"] + (isFuse ? ["linux/mount.h"] + target.includes : []))
    if !files.isEmpty { rest.insert("signal.h") }
    if isForGuests { rest.formUnion(Self.initIncludes + ["time.h"]) }
    values["restIncludes"] = Self.including(rest.subtracting(includes))
    values["trialParameters"] = trialParameters
    values["trialArguments"] = "number, before" + forGuests(", exposed, hazard == act")
    let file = isFuse ? PackageResources.file_fuse_c_in : PackageResources.file_fault_c_in
    values["makeFile"] = String(decoding: file, as: UTF8.self)
    let opens = !target.open.isEmpty
    values["targetDeclared"] =
      opens ? "static int open_target(int file);\t/* what is read, given the held file */" : ""
    values["targetOpened"] = opens ? "fd = open_target(fd);" : ""
    values["openTarget"] = opens ? Self.function("int open_target(int file)", target.open) : ""
    let texts =
      [memory.enter, fragment.prepare, fragment.act, fragment.settle]
      + parts.flatMap { [$0.globals, $0.setUp] }
    let usesRoom = texts.contains { $0.split { !$0.isLetter }.contains("above") }
    values["aboveDeclared"] =
      usesRoom ? "static unsigned char *above;\t/* room for 8 pages more; nothing is mapped there */" : ""
    values["aboveSet"] = usesRoom ? "above = buf + map_size + page_size;" : ""
    values["pathDeclared"] = target.holdsByFault ? "static char *target;\t\t/* where it is */" : ""
    values["pathGiven"] = target.holdsByFault ? "target = argc > 2 ? argv[2] : NULL;" : ""
    values["hold"] = String(decoding: held, as: UTF8.self)
    values["device"] = target.holdsByFault ? "a userfaultfd" : "/dev/fuse"
    let holds = "held = hold_read(0, IO_END);"
    let isEarly = scenario.steps.actsBeforeIssue
    values["holdFirst"] = isEarly ? Self.tabbed(Self.serveUntilDone) : holds
    values["holdLast"] = isEarly ? "sem_post(&go);\n\(holds)" : ""
    values["stored"] =
      switch scenario.steps.toucher {
      case .store, .remoteStore, .vmWrite, .memWrite: "0xc3"
      case .secondRead: "DATA"
      case .childStore, .none: "FILL"
      }
    values["toucher"] = Self.tabbed(fragment.toucher)
    values["touch"] = Self.tabbed(fragment.touch.isEmpty ? CFragment.store : fragment.touch)
    values["prepare"] = Self.tabbed(fragment.prepare)
    values["settle"] =
      fragment.settle.isEmpty
      ? "" : Self.tabbed(fragment.settle) + "\ngood = good && intact(\"second\");"
    values["again"] =
      fragment.canBeRefused
      ? "if (!exposed)\t/* refused because of the read, or always? */\n\texposed = act();" : ""
    values["unasked"] =
      fragment.unasked.isEmpty
      ? "" : "if (!exposures)\n\tEND(SKIPPED, \"not asked: %s\",\n\t    \"\(fragment.unasked)\");"
    values["report"] = report
    return values
  }

  /// Opening the file asks for what only this thread can answer.
  private static let serveUntilDone = """
    while (sem_trywait(&done) < 0) /* until the page is registered */
      if (poll(&(struct pollfd){ dev, POLLIN, 0 }, 1, 1) == 1)
        serve(-1, 0);
    """

  /// `text` in programs for guests, and nothing in others.
  private func forGuests(_ text: String) -> String { isForGuests ? text : "" }

  private static let takeJSON =
    "\njson = argc > 1 && strcmp(argv[1], \"--json\") == 0;\nargc -= json, argv += json;"

  /// What only process 1 needs.
  private static let initIncludes = ["dirent.h", "sys/mount.h", "sys/reboot.h", "sys/swap.h", "sys/wait.h"]

  /// `static DECLARATION` with that body.
  private static func function(_ declaration: String, _ body: String) -> String {
    let lines = tabbed(body).split(separator: "\n", omittingEmptySubsequences: false)
    return "static \(declaration)\n{\n"
      + lines.map { $0.isEmpty ? "" : "\t\($0)" }.joined(separator: "\n") + "\n}"
  }

  private static func including(_ files: Set<String>) -> String {
    files.sorted().map { "#include <\($0)>" }.joined(separator: "\n")
  }

  /// The bytes of a trial: those of ``Staged`` on the smallest page there is. On larger pages
  /// the rest of the page is the hazard's but not verified.
  private var layout: Layout {
    Layout(
      .read, length: 4096, pageSize: 4096, alignment: one.target.kind.alignment,
      touchLength: scenario.steps.toucher == .secondRead ? nil : Staged.touchLength)
  }

  func exitCodes(_ text: (Int32, Verdict) -> String) -> String {
    Verdict.allCases.map { (ExitCodes.default.code($0), $0) }.sorted { $0.0 < $1.0 }.map(text)
      .joined(separator: ", ")
  }

  /// The settings that are files, with what is put there; swap and groups are not for a small program to make.
  private var files: [(path: String, value: String)] {
    one.parts.flatMap(\.settings).compactMap { setting in
      switch setting.change {
      // Where other values will do too, the program says what it misses.
      case .file(let path, let value, let accepted): accepted.isEmpty ? (path, value) : nil
      case .more(let path, let count): (path, "+\(count)")
      case .swap, .cgroup: nil
      }
    }
  }

  private var settings: String {
    if files.isEmpty { return "" }
    return Self.template(PackageResources.settings_c_in).filled([
      "table": files.map { "{ \"\($0.path)\", \"\($0.value)\", \"\", 0 }," }.joined(separator: "\n"),
      "count": String(files.count),
    ])
  }

  private var read: String {
    let engine = one.engine.c
    if target.holdsByFault, one.schedule == .staged {
      return """
        struct iovec parts[] = { { buf, IO_END }, { trap, TRAP } };
        long bytes;

        madvise(trap, page_size, MADV_DONTNEED); /* missing again */
        bytes = \(engine.vectored);
        return bytes < 0 ? bytes : bytes - TRAP;
        """
    }
    return Self.template(Array(engine.read.utf8)).filled([
      "registered": scenario.steps.actsBeforeIssue
        ? "sem_post(&done);\nsem_wait(&go); /* until the page has been put in danger */" : ""
    ])
  }

  private var trialParameters: String {
    "int number, unsigned long long before" + forGuests(", bool exposed, bool is_hazard")
  }

  private var report: String {
    let name = one.name
    let losses = Damage.Kind.allCases.filter(scenario.losses.contains).map(\.rawValue)
    // What the second look finds has another name where the hazard only shows then.
    let late =
      scenario.losses.contains(.lostAfterSwap)
      ? "damage.look[0] == 's' ? \"\(Damage.Kind.lostAfterSwap.rawValue)\" :\n\t" : ""
    func told(_ what: String) -> String { forGuests("if (json)\n\treturn json_\(what);") }
    let people = "printf(\"\(name.scenario): %s: %s\\n\", name, reason);"
    let json = Self.template(PackageResources.report_json_c_in).filled([
      "case": "\(name)", "name": name.scenario, "memory": name.memory, "engine": name.engine,
      "target": name.target, "schema": String(RunStart.currentSchema), "version": Campaign.version,
      "losses": losses.joined(separator: ", "), "role": scenario.role.rawValue,
      "path": one.path(on: one.target.kind.path ?? .block).rawValue, "summary": scenario.summary,
    ])
    return Self.template(PackageResources.report_c_in).filled([
      "json": forGuests(json),
      "startTold": told("start(&it, cpus, order)"), "controlsTold": told("controls(fired, silent)"),
      "trialParameters": trialParameters,
      "trialTold": forGuests(
        "if (json && is_hazard)\n\tjson_trial(number, exposed, before, after);\nif (json)\n\treturn;"),
      "kind": "damage.kind = \(late)kind_of(damage.offset, damage.found);",
      "endTold": isForGuests
        ? "if (json)\n\tjson_end(verdict, name, reason);\nelse\n\t\(people)" : people,
      "putBack": files.isEmpty ? "" : "put_back(0);",
    ])
  }

  private static func template(_ bytes: [UInt8]) -> Template {
    Template(String(decoding: bytes, as: UTF8.self))
  }

  private static func withSortedIncludes(_ text: String) -> String {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard let first = lines.firstIndex(where: { $0.hasPrefix("#include") }) else { return text }
    let includes = lines[first...].prefix { $0.hasPrefix("#include") }
    return (lines[..<first] + includes.sorted() + lines[includes.endIndex...]).joined(separator: "\n")
  }

  /// Two leading blanks become a tab.
  private static func tabbed(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { (line: Substring) -> String in
      let blanks = line.prefix { $0 == " " }.count
      return String(repeating: "\t", count: blanks / 2) + line.dropFirst(blanks)
    }.joined(separator: "\n")
  }
}
