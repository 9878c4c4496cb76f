/// The negative control: the same trial, and nobody touches the page tables.
final class NoHazard: Hazard, Sendable {
  static let cFragment = CFragment(
    act: """
      return true; /* nothing is done to the page */
      """)

  func act(_ pages: PagesUnderIO) -> [HazardOutcome] { [.applied("nothing was done to the page")] }
  func asked(_ page: Observation, _ number: Int) -> Guard? { Guard.none }
}
