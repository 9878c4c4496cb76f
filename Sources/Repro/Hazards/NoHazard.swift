/// The negative control: the same trial, and nobody touches the page tables.
final class NoHazard: Hazard {
  func act(_ page: PageUnderIO) -> HazardOutcome { .applied("nothing was done to the page") }
}
