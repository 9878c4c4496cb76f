/// The exit codes that the callers of test programs expect.
public enum ExitCodes: String, Sendable, Codable, CaseIterable {
  /// 0 clean, 1 corrupt, 2 error, 3 inconclusive, 4 skipped.
  case `default`
  /// Linux kselftest (KTAP): 0 pass, 1 fail, 4 skip.
  case kselftest
  /// LTP: 0 pass, 1 fail, 2 broken, 4 warn, 32 configuration.
  case ltp
  /// git bisect run: 0 good, 1 bad, 125 can't tell; nothing above, which would end the bisection.
  case bisect
  /// automake: 0 pass, 1 fail, 77 skip, 99 hard error.
  case automake

  /// The code of one verdict.
  public func code(_ verdict: Verdict) -> Int32 {
    switch (self, verdict) {
    case (_, .clean): 0
    case (_, .corrupt): 1
    case (.default, .error), (.ltp, .error): 2
    case (.default, .inconclusive): 3
    case (.default, .skipped): 4
    case (.kselftest, .error): 1
    case (.kselftest, .inconclusive), (.kselftest, .skipped): 4
    case (.ltp, .inconclusive): 4
    case (.ltp, .skipped): 32
    case (.bisect, .error), (.bisect, .inconclusive), (.bisect, .skipped): 125
    case (.automake, .inconclusive), (.automake, .skipped): 77
    case (.automake, .error): 99
    }
  }

  /// The code of a run that was stopped by a signal: 128 + signal, as shells have it, but for
  /// bisections, which must not take it for a reason to end.
  public func code(interruptedBy signal: Int32) -> Int32 {
    self == .bisect ? 125 : 128 + signal
  }

  /// The verdict of a whole run. A loss is proof, whatever else failed; after that an error, then
  /// too few exposures. What was skipped counts only when nothing ran, except for bisections: there
  /// a skipped scenario must not make a "good".
  public func overall(_ verdicts: [Verdict]) -> Verdict {
    for verdict in [Verdict.corrupt, .error, .inconclusive] where verdicts.contains(verdict) {
      return verdict
    }
    if verdicts.contains(.skipped), self == .bisect || !verdicts.contains(.clean) { return .skipped }
    return verdicts.isEmpty ? .inconclusive : .clean
  }

  /// The code of several runs in a row: that of the worst verdict, or of a signal that stopped one.
  public func overall(codes: [Int32]) -> Int32 {
    let known = Dictionary(Verdict.allCases.map { (code($0), $0) }) { one, _ in one }
    if let foreign = codes.first(where: { known[$0] == nil }) { return foreign }
    return code(overall(codes.compactMap { known[$0] }))
  }
}
