/// The negative control: the same trial, and nobody touches the page tables.
final class NoHazard: Hazard {
  static let cFragment = CFragment(
    act: """
      return true; /* nothing is done to the page */
      """)

  func act(_ page: PageUnderIO) -> HazardOutcome { .applied("nothing was done to the page") }
}
