/// Why a combination of parts means nothing, whatever the machine: such cases are left out, not skipped.
extension Case {
  /// The reason, or nil for a case that means something.
  /// - Parameter depth: pages under one hazard.
  public func exclusion(depth: Int) -> String? { Self.rules.lazy.compactMap { $0(self, depth) }.first }

  private static let rules: [@Sendable (Case, _ depth: Int) -> String?] = [
    { one, _ in
      let missing = one.scenario.memory.subtracting(one.memory.traits)
      return missing.map(\.reason).min().map { "\(one.scenario.name) on \(one.memory.name): \($0)" }
    },
    { one, _ in
      let missing = one.scenario.engine.subtracting(one.engine.traits)
      return missing.map(\.reason).min().map { "\(one.scenario.name) with \(one.engine.name): \($0)" }
    },
    { one, _ in
      guard !one.target.kind.schedules.contains(one.schedule) else { return nil }
      return one.schedule == .staged
        ? "\(one.target.kind.name) holds no I/O, so it only races"
        : "\(one.target.kind.name) holds its I/O, so nothing races"
    },
    { one, _ in
      one.schedule == .race ? one.scenario.raceObstacle.map { "\(one.scenario.name) as a race: \($0)" } : nil
    },
    { one, _ in
      one.schedule == .staged && one.scenario.direction == .write && !one.target.kind.holdsWrites
        ? "\(one.scenario.name), staged: the held target's server has the bytes before the hazard acts" : nil
    },
    { one, _ in
      one.scenario.caching == .only && one.engine.traits.contains(.asynchronous)
        ? "\(one.scenario.name) with \(one.engine.name): the call that submits a buffered read also waits for it"
        : nil
    },
    { one, _ in
      one.scenario.caching != .none && !one.target.kind.takesPath
        ? "\(one.scenario.name) on \(one.target.kind.name): it has no page cache" : nil
    },
    { one, _ in
      one.schedule == .race && one.scenario.steps.toucher == .secondRead
        ? "\(one.scenario.name) as a race: the second read would have to be in time too" : nil
    },
    { one, _ in
      one.schedule == .staged && one.target.kind.holdsByFault && one.engine.traits.contains(.asynchronous)
        ? "\(one.engine.name) on \(one.target.kind.name), staged: each page is a request of its own, and the fault of "
          + "the last holds no other" : nil
    },
    { one, _ in
      one.schedule == .staged && one.target.kind.isSuspended && one.engine.traits.contains(.asynchronous)
        ? "\(one.engine.name) on \(one.target.kind.name), staged: that its I/O is held shows in a call that waits"
        : nil
    },
    { one, _ in
      one.schedule == .staged && one.target.kind.isSuspended && one.scenario.caching == .only
        ? "\(one.scenario.name) on \(one.target.kind.name), staged: a buffered read is held by the fault of its first page"
        : nil
    },
    { one, _ in
      one.target.kind.alignment >= kernelPageSize && one.scenario.steps.toucher == .secondRead
        ? "\(one.scenario.name) on \(one.target.kind.name): a read takes whole pages, and leaves no part to a second"
        : nil
    },
    { one, depth in
      depth > 1 && one.engine.traits.contains(.workers) && !one.target.kind.arrivesWhole
        ? "\(one.engine.name) on \(one.target.kind.name) at depth \(depth): nothing tells when all requests have "
          + "their pages" : nil
    },
    { one, depth in
      depth > one.memory.maximumDepth
        ? "\(one.memory.name) at depth \(depth): it gives \(one.memory.maximumDepth) pages at most" : nil
    },
  ]
}

extension MemoryKind.Trait {
  /// Why memory without the trait is left out.
  fileprivate var reason: String {
    switch self {
    case .private: "shared memory is not copied on write, so nothing can replace the page"
    case .swappable: "no page table entry of these becomes a swap entry"
    case .divisible: "base pages of it can't be protected one by one"
    case .mergeable: "KSM merges base pages of private anonymous memory only"
    case .merged: "KSM has merged nothing there"
    case .zeroed: "it holds other bytes than zeros"
    case .collapsible: "no huge page fits, or one is there already"
    case .huge: "no PMD maps it"
    case .cached: "it is no part of a file on a disk"
    case .inPlace: "its file system writes whole pages, each to a new place"
    }
  }
}

extension EngineKind.Trait {
  /// Why an engine without the trait is left out.
  fileprivate var reason: String {
    switch self {
    case .asynchronous: "its system call both issues and waits"
    case .workers: "no kernel thread works for it"
    case .registers: "it takes pages when the I/O is issued, and nothing can come before"
    }
  }
}
