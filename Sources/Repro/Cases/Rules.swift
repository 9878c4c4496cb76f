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
      one.scenario.memory.contains(.sharedOnSwap) && one.engine.traits.contains(.registers)
        ? "\(one.scenario.name) with \(one.engine.name): registration takes the page before it is moved" : nil
    },
    { one, _ in
      one.scenario.name == "madv-dontneed" && one.memory.name == MemoryKind.mlocked.name
        ? "\(one.scenario.name) on \(one.memory.name): of locked memory nothing is given up (EINVAL)" : nil
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
      one.schedule == .staged && one.scenario.direction == .write && !one.scenario.isLeftUnread
        && !one.target.kind.holdsWrites
        ? "\(one.scenario.name), staged: the held target's server has the bytes before the hazard acts" : nil
    },
    { one, _ in
      one.schedule == .staged && one.scenario.isLeftUnread && !one.target.kind.leavesUnread
        ? "\(one.scenario.name) on \(one.target.kind.name): it has the bytes of a write before the store"
        : nil
    },
    { one, _ in
      one.scenario.isLeftUnread && one.memory.isState
        ? "\(one.scenario.name) on \(one.memory.name): what comes before the I/O ends that state" : nil
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
      one.schedule == .staged && one.target.kind.isSuspended && one.scenario.waitsForTarget
        ? "\(one.scenario.name) on \(one.target.kind.name), staged: it loads from the target, which waits for us"
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
      guard one.schedule == .free else {
        return one.scenario.isFreeOnly
          ? "\(one.scenario.name), \(one.schedule): its agents act all the time, on threads of their own"
          : nil
      }
      if one.scenario.agents.isEmpty {
        return "\(one.scenario.name), free: its steps have an order, or what it does others must not meet"
      }
      if depth > 1 {
        return "free, at depth \(depth): \(Schedule.freePages) pages are endangered at once anyway"
      }
      if one.memory.isState {
        return "\(one.memory.name), free: what the agents do all the time ends the state"
      }
      if one.scenario.isLiteral, one.target.kind.alignment > Pattern.blockSize {
        return "\(one.scenario.name) on \(one.target.kind.name): it reads 512 bytes"
      }
      if one.memory.maximumDepth < Schedule.freePages {
        return "\(one.memory.name), free: it gives \(one.memory.maximumDepth) pages at most"
      }
      if one.engine.traits.contains(.registers) {
        return "\(one.engine.name), free: it holds all pages always"
      }
      return one.engine.traits.contains(.seeks)
        ? "\(one.engine.name), free: readers would share the descriptor's position" : nil
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
    case .mergeable: "KSM merges base pages of private memory only"
    case .anonymous: "the mapping is of a file"
    case .merged: "KSM has merged nothing there"
    case .zeroed: "it holds other bytes than zeros"
    case .sharedOnSwap: "no second process has it back from swap"
    case .collapsible: "no huge page fits, or one is there already"
    case .huge: "no PMD maps it"
    case .cached: "no file on a disk holds its fill"
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
    case .seeks: "it says where with each call"
    }
  }
}
