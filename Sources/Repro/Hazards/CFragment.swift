/// A hazard in C, for the programs that ``CExport`` writes; each stands beside its Swift counterpart.
///
/// The text is indented by two blanks a level, which become tabs. It may use what
/// `fixtures/export/skeleton.c.in` declares: `buf`, the page under I/O; `buf + page_size`, a spare
/// one; `pagemap()`, `FRAME`, `END()`, and in a trial `number`, `before`, `exposed` and `good`.
struct CFragment: Sendable {
  /// Headers that the skeleton does not include.
  var includes: [String] = []
  /// Declarations and functions.
  var globals = ""
  /// Statements that run once: they skip what this machine can't do, and make ready.
  var setUp = ""
  /// Statements before the page is filled.
  var prepare = ""
  /// Body of the function that does it while the I/O is in flight: `true` when the kernel did it,
  /// `false` when it refused.
  var act: String
  /// Statements after the I/O that undo it, after which the page is looked at again.
  var settle = ""
  /// Whether the kernel may refuse. Then the same is tried on the same page without I/O: what is
  /// refused both times shows nothing.
  var canBeRefused = false
}
