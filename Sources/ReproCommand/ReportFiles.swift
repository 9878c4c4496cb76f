import ArgumentParser
import Foundation
import Repro
import Synchronization

/// A JSONL report a kernel, in one folder; none when no folder is named.
final class ReportFiles: Sendable {
  private let writers: Mutex<[ReportWriter]>

  /// Opens a file `KERNEL.jsonl` for each of `kernels`.
  /// - Throws: ValidationError when one can't be written.
  init(_ folder: String?, _ kernels: [String]) throws {
    guard let folder else {
      writers = Mutex([])
      return
    }
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let opened = try kernels.map { try openOutput("\(folder)/\($0.replacing("/", with: "_")).jsonl") }
    writers = Mutex(
      opened.map { ReportWriter(JSONLinesReport(), output: $0, showsProgress: false) })
  }

  /// Writes an event of the kernel at `index`.
  func receive(_ event: Event, _ index: Int) {
    writers.withLock { if index < $0.count { $0[index].receive(event) } }
  }

  /// Why one of them could not be written.
  var failure: KernelError? { writers.withLock { $0.lazy.compactMap(\.failure).first } }
}
