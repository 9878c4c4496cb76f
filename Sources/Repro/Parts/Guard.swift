/// A check in the kernel that keeps a page behind its address while somebody holds it for I/O.
///
/// An exposure names the guard that was asked, from what was observed of the page; a clean verdict says
/// which guard held how often.
public struct Guard: Sendable, Hashable, Codable {
  /// Short and stable; reports and mutations of kernels name guards by it: `fork-copies-pinned`.
  public let name: String
  /// What was observed when it held.
  public let observation: String

  /// A guard.
  init(_ name: String, _ observation: String) {
    self.name = name
    self.observation = observation
  }
}

extension Guard {
  /// Nothing was asked of the kernel: a control.
  static let none = Guard("none", "nothing was done to the page, and its frame stayed")
  /// The I/O's own duty: bio_check_pages_dirty, fuse_release_user_pages and the like.
  static let ioMarksDirty = Guard(
    "io-marks-dirty", "the kernel took the page once the I/O was over, and gave it back with the data")
  /// wp_can_reuse_anon_folio and before it PG_anon_exclusive (6c287605fd56, 5.19), reuse_swap_page.
  static let writeFaultReuses = Guard(
    "write-fault-reuses", "the store took a write fault, and the kernel kept the frame")
}
