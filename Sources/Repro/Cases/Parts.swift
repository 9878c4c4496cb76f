// The tables of parts, one line each. The first of each table is the usual one.

extension MemoryKind {
  /// Every kind of memory, in the order of runs.
  public static let all: [MemoryKind] =
    [
      .anon,
      .thp,
      .hugetlb,
      .memfd,
      .mlocked,
      .forked,
      .absent,
      .zeroPage,
      .zeroed,
      .lazyFree,
      .swapped,
      .swappedIn,
      .swapCache, .swapShared,
      .ksm,
      .thpPieces,
      .wide,
      .memfdRead,
      .memfdPrivate,
    ] + files

  /// The kind of that name.
  public static func named(_ name: String) -> MemoryKind? { all.first { $0.name == name } }
}

extension EngineKind {
  /// Every engine, in the order of runs.
  public static let all: [EngineKind] = [
    .pread,
    .preadv2,
    .libaio,
    .ioUring,
    .ioUringFixed,
    .readv,
  ]

  /// The engine of that name.
  public static func named(_ name: String) -> EngineKind? { all.first { $0.name == name } }
}

extension Setting {
  /// The files that some part changes.
  public static let files: Set<String> = {
    let parts: [any Part] = Scenario.all + MemoryKind.all + EngineKind.all + TargetKind.all
    return Set(parts.flatMap(\.settings).compactMap(\.path))
  }()
}

extension TargetKind {
  /// Every target, in the order of runs.
  public static let all: [TargetKind] = [
    .held,
    .heldBlock,
    .heldNFS,
    .heldBlock4K,
    .scratch,
    .ext4,
    .xfs,
    .btrfs,
    .suspended,
    .suspendedBtrfs,
    .raid1,
    .crypt,
  ]

  /// The target of that name.
  public static func named(_ name: String) -> TargetKind? { all.first { $0.name == name } }

  /// The names of those that hold their I/O, as helps list them.
  public static let heldNames = all.filter { $0.schedules.contains(.staged) && !$0.takesPath }.map(\.name)
    .joined(separator: ", ")

  /// The target that a schedule uses when nobody says which: the first that serves it.
  static func usual(for schedule: Schedule) -> TargetKind {
    all.first { $0.schedules.contains(schedule) } ?? all[0]
  }
}
