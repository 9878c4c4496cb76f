import TestHost

@testable import Repro

extension Machine {
  /// The race schedule's standard target does direct I/O.
  static let canRace: Bool = {
    let file = try? ScratchFile(
      path: TargetSpec.usualFolder, overwrite: false, length: kernelPageSize, pattern: Pattern(seed: 0))
    file?.close()
    return file != nil
  }()
}
