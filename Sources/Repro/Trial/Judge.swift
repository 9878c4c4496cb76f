import Glibc

/// Says what a trial showed: which bytes are wrong, and on which pages a guard was asked.
///
/// Both schedules end here. A guard was asked on a page only if the page's own state shows it; a hazard
/// whose claim the frames contradict is the harness's error.
struct Judge {
  let buffer: Buffer
  let target: any Target
  let scenario: Scenario
  let caseName: CaseName

  /// What may stand in place of the I/O's data and the fill.
  private let instead: [Stamp]
  let verifier: Verifier
  /// Room for a piece as it is read back from the target; of writes.
  let readBackBuffer: AddressRange?

  init(
    _ buffer: Buffer, _ target: any Target, _ scenario: Scenario, _ hazards: [any Hazard],
    _ caseName: CaseName
  ) throws(KernelError) {
    instead = hazards.contains(where: \.givesUp) ? [.zeros] : []
    self.buffer = buffer
    self.target = target
    self.scenario = scenario
    self.caseName = caseName
    verifier = Verifier(buffer.pattern)
    if scenario.direction == .write {
      let range = try AddressRange(length: buffer.layout.length)
      try AddressRange.map(range.base, range.length, MAP_PRIVATE | MAP_ANONYMOUS)
      readBackBuffer = range
    } else {
      readBackBuffer = nil
    }
  }

  // MARK: Damage

  /// What the toucher left on each page: the stores that it made last, page by page; nil for pages that
  /// nobody stored to.
  struct Touched {
    /// Where the words begin, from the start of the piece, and what each must be.
    var words: [(range: Range<Int>, stamps: [Stamp?])] = []
  }

  /// Compares memory with what it must hold now: at the first look whole pieces, at the second their
  /// last pages, the only ones that a hazard touches.
  /// - Parameters:
  ///   - copies: where to look in place of the buffer's pieces, page by page.
  ///   - isBrief: what the scenario explains is not described, only counted.
  func look(
    _ setup: Buffer.Setup, _ look: Damage.Look, _ touched: Touched, in copies: [View]? = nil,
    isBrief: Bool = false
  ) -> Findings {
    let layout = buffer.layout
    let from = look == .first ? 0 : layout.length - kernelPageSize
    func clamp(_ range: Range<Int>) -> Range<Int> {
      max(range.lowerBound, from)..<max(range.upperBound, from)
    }
    var findings = Findings(known: isBrief ? scenario.losses : [])
    for page in 0..<buffer.depth {
      let (content, fill) = (buffer.content(setup, page), buffer.fill(setup, page))
      let io = buffer.direction == .read ? content : fill
      let instead =
        self.instead.isEmpty || !buffer.memory.comesBackFilled ? self.instead : self.instead + [fill]
      var expectations = [
        Expectation(.io, clamp(layout.settled), expected: io, previous: fill, or: instead),
        Expectation(.untouched, clamp(layout.lead), expected: fill, previous: fill, or: instead),
        Expectation(.untouched, clamp(layout.untouched), expected: fill, previous: fill, or: instead),
      ]
      // A store inside of a read may lose against the data: either is right there.
      let overwritten = buffer.direction == .read && layout.io.upperBound > layout.touch.lowerBound
      switch scenario.steps.toucher {
      case .store, .remoteStore, .vmWrite, .memWrite:
        for (range, stamps) in touched.words {
          expectations.append(
            Expectation(
              .store, range, expected: stamps[page] ?? fill, previous: fill, or: overwritten ? [content] : []
            ))
        }
      case .secondRead:
        let second = secondContent(setup, page)
        expectations.append(Expectation(.second, layout.touch, expected: second, previous: fill))
      case .childStore, .none:
        if !overwritten {
          expectations.append(
            Expectation(.untouched, layout.touch, expected: fill, previous: fill, or: instead))
        }
      }
      // A copy is of the last page alone.
      let memory = copies.map { $0[page].copy - from } ?? UnsafeRawPointer(buffer.piece(page))
      findings.add(page, memory, expectations, look, verifier)
    }
    return findings
  }

  /// Whether no byte of a read has come yet: a held I/O has brought none.
  func isUntouched(_ setup: Buffer.Setup) -> Bool {
    guard buffer.direction == .read else { return true }
    return (0..<buffer.depth).allSatisfy { page in
      let fill = buffer.fill(setup, page)
      let before = Expectation(.io, buffer.layout.settled, expected: fill, previous: fill)
      if verifier.isIntact(buffer.piece(page), before) { return true }
      // What a hazard before the I/O spoilt is damage, which is looked for later; only the I/O's data is too early.
      guard scenario.steps.actsBeforeIssue else { return false }
      let data = Expectation(
        .io, buffer.layout.settled, expected: buffer.content(setup, page), previous: fill)
      return !verifier.isIntact(buffer.piece(page), data)
    }
  }

  /// What is wrong: the bytes of the first pages, and of all others that they are damaged, and how.
  struct Findings {
    private(set) var damage: [Damage] = []
    private(set) var kinds: Set<Damage.Kind> = []
    private(set) var pages: [Int] = []
    /// Kinds of damage that are not described.
    fileprivate var known: Set<Damage.Kind> = []

    fileprivate mutating func add(
      _ page: Int, _ memory: UnsafeRawPointer, _ expectations: [Expectation], _ look: Damage.Look,
      _ verifier: Verifier
    ) {
      if expectations.allSatisfy({ verifier.isIntact(memory, $0) }) { return }
      func describe() { add(verifier.damage(in: memory, expectations, look: look, page: page)) }
      let hasRoom = pages.count < TrialRecord.damageKept
      if hasRoom && known.isEmpty { return describe() }
      let found = verifier.kinds(in: memory, expectations)
      if hasRoom && !found.isSubset(of: known) { return describe() }
      if !found.isEmpty { pages.append(page) }
      kinds.formUnion(found)
    }

    /// Adds damage in full.
    mutating func add(_ more: [Damage]) {
      damage += more
      kinds.formUnion(more.map(\.kind))
      for page in more.map(\.page) where pages.last != page && !pages.contains(page) { pages.append(page) }
    }

    /// The damage and pages that pass, with each kind by another name.
    fileprivate func filtered(
      _ isNew: (Damage) -> Bool, page isNewPage: (Int) -> Bool, naming: (Damage.Kind) -> Damage.Kind
    ) -> Findings {
      var new = Findings()
      new.add(
        damage.filter(isNew).map { damage in
          var damage = damage
          damage.kind = naming(damage.kind)
          return damage
        })
      let described = Set(damage.map(\.page))
      let others = pages.filter { !described.contains($0) && isNewPage($0) }
      if !others.isEmpty { new.kinds.formUnion(kinds.map(naming)) }
      new.pages += others
      return new
    }

    /// Adds what another look found.
    mutating func add(_ other: Findings) {
      add(other.damage)
      kinds.formUnion(other.kinds)
      let known = Set(pages)
      pages += other.pages.filter { !known.contains($0) }
    }
  }

  private func secondContent(_ setup: Buffer.Setup, _ page: Int) -> Stamp {
    let offset = Int(setup.second.offset) + page * buffer.layout.touch.count
    let block = (offset - buffer.layout.touch.lowerBound) / Pattern.blockSize
    return Stamp(.file, generation: 0, block: block)
  }

  /// What only the second look saw, by the hazards' name for it.
  func new(_ second: Findings, after first: Findings, _ hazards: [any Hazard]) -> Findings {
    let name = hazards.lazy.compactMap(\.lossOnSecondLook).first
    return second.filtered { late in
      let seen = first.damage.filter { $0.page == late.page }
      if seen.isEmpty { return !first.pages.contains(late.page) }
      return !seen.contains {
        $0.region == late.region && $0.offset == late.offset && $0.length == late.length
      }
    } page: {
      !first.pages.contains($0)
    } naming: {
      name ?? $0
    }
  }

  /// What a look found on pages that were gone from the page tables meanwhile: right before, wrong now.
  func afterReclaim(_ late: Findings, _ reclaimed: [Bool]) -> Findings {
    late.filtered {
      reclaimed[$0.page]
    } page: {
      reclaimed[$0]
    } naming: { _ in
      .lostAfterReclaim
    }
  }

  /// What a look found after one more fork, right before.
  func afterFork(_ late: Findings) -> Findings {
    late.filtered({ _ in true }, page: { _ in true }, naming: { _ in .lostAfterFork })
  }

  // MARK: Exposure

  /// What happened in a trial, as far as it bears on exposure.
  struct Facts {
    /// Of each hazard, its outcomes: one for all pages, or one a page.
    var outcomes: [[HazardOutcome]] = []
    /// The same without I/O, by the hazard's number; of those that some page refused.
    var withoutIO: [Int: [HazardOutcome]] = [:]
    /// Whether each page was taken by the kernel once all was over, and came back for a last look.
    var reclaimed: [Bool] = []
    /// What was seen of each page.
    var observations: [Observation] = []
    /// Tries each hazard that some page refused once more, now that no I/O has the pages.
    mutating func retry(_ hazards: [any Hazard], _ pages: PagesUnderIO) throws(KernelError) {
      for (index, outcomes) in outcomes.enumerated() where outcomes.contains(where: { $0.kind == .refused }) {
        withoutIO[index] = try hazards[index].actWithoutIO(pages)
      }
    }
    /// Whether hazard and toucher were done while the I/O was in flight.
    var isInFlight = true
    /// Whether the I/O was issued while the hazard acted.
    var isEntering = false
  }

  /// The record of a trial that is over.
  /// - Throws: TrialError.contradiction when a hazard claims what the frames contradict.
  func record(
    _ setup: Buffer.Setup, _ hazards: [any Hazard], _ facts: Facts, _ findings: Findings
  ) throws -> TrialRecord {
    let depth = buffer.depth
    let lost = findings.pages.sorted()
    let isLost = Set(lost)
    var guards: [String: Int] = [:]
    var asked = 0
    for page in 0..<depth {
      try contradict(page, hazards, facts, isLost: isLost.contains(page))
      let name = try guardAsked(page, hazards, facts)?.name
      let isBack = page < facts.reclaimed.count && facts.reclaimed[page] && !isLost.contains(page)
      if isBack, name != Guard.ioMarksDirty.name {
        guards[Guard.ioMarksDirty.name, default: 0] += 1
      }
      if name == nil && !isLost.contains(page) { continue }
      asked += 1
      // The guard of a page that was lost did not hold.
      if let name, !isLost.contains(page), facts.isInFlight { guards[name, default: 0] += 1 }
    }
    let shown = lost.first ?? 0
    let seen = shown < facts.observations.count ? facts.observations[shown] : Observation()
    let kept = Set(lost.prefix(TrialRecord.damageKept))
    return TrialRecord(
      case: caseName, trial: setup.number, depth: depth,
      inFlight: facts.isInFlight ? asked : lost.count, entering: facts.isEntering ? asked : 0, lost: lost,
      guards: guards, hazards: facts.outcomes.compactMap(\.first),
      withoutIO: facts.withoutIO.min { $0.key < $1.key }?.value.first,
      damage: findings.damage.filter { kept.contains($0.page) },
      isExplained: findings.kinds.isSubset(of: scenario.losses),
      frameBefore: seen.arrival?.frame, frameAfter: seen.end?.frame, offset: setup.transfer.offset,
      length: setup.transfer.length, timeline: setup.pages.timeline.marks)
  }

  /// The guard that the page's state shows to have been asked: that of the last hazard that asked one.
  private func guardAsked(_ page: Int, _ hazards: [any Hazard], _ facts: Facts) throws -> Guard? {
    var found: Guard?
    for (index, outcomes) in facts.outcomes.enumerated() {
      guard let outcome = outcomes.of(page) else { continue }
      let hazard = hazards[index]
      switch outcome.kind {
      case .applied: found = hazard.asked(facts.observations[page], page) ?? found
      case .refused:
        if facts.withoutIO[index]?.of(page)?.isApplied == true { found = hazard.refusal ?? found }
      case .noEffect: break
      }
    }
    return found
  }

  /// Frames outrank words.
  private func contradict(
    _ page: Int, _ hazards: [any Hazard], _ facts: Facts, isLost: Bool
  ) throws {
    guard caseName.schedule == .staged, page < facts.observations.count else { return }
    let seen = facts.observations[page]
    guard let before = seen.arrival?.frame else { return }
    for (hazard, outcomes) in zip(hazards, facts.outcomes) {
      guard hazard.replacesFrames, let outcome = outcomes.of(page), outcome.isApplied else { continue }
      if let after = seen.hazarded?.frame, after == before {
        throw TrialError.contradiction(
          "the hazard says '\(outcome.evidence)', but frame \(Hex.number(before)) is still behind the address"
        )
      }
    }
    // Both were seen while the I/O was held: it filled the old frame, or was not in flight.
    let isAsked = scenario.role != .positiveControl  // whose loss is missed by its own count
    // A buffered read has no page: it copies to wherever the address is by then.
    if isAsked, scenario.caching == .none, instead.isEmpty, buffer.direction == .read, !isLost,
      let after = seen.touched?.frame,
      after != before
    {
      throw TrialError.contradiction(
        "frame \(Hex.number(before)) was replaced by \(Hex.number(after)) while the I/O was held, and nothing "
          + "is lost: the I/O did not have the page")
    }
  }
}
