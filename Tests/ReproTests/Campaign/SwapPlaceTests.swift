import Testing

@testable import Repro

/// Where somebody wants swap to be.
@Suite("Places for swap")
struct SwapPlaceTests {
  private static let places = [
    SwapPlace(.zram), SwapPlace(.file), SwapPlace(.disk), SwapPlace(.device("/dev/sdb")),
    SwapPlace(.device("/dev/sdb"), overwrite: true),
    SwapPlace(.device("/dev/vdb"), overwrite: true, isOptional: true),
    SwapPlace(.device("/dev/disk/by-path/pci-0000:00:1f.2+x"), overwrite: true),
  ]

  @Test("come back from their text", arguments: places)
  func roundTrip(place: SwapPlace) {
    #expect(SwapPlace(parsing: "\(place)") == place, "\(place)")
  }

  @Test(
    "are paths where they look like one, without the right to overwrite",
    arguments: ["/dev/sdb", "./zram", "/dev/disk/by-path/pci-0000:00:1f.2", "device/x"])
  func path(text: String) {
    #expect(SwapPlace(parsing: text) == SwapPlace(.device(text)))
  }

  @Test(
    "are no other words",
    arguments: ["", "x", "zram:", "zram+x", "device", "device:", "device+overwrite", "+", "disk:1"])
  func refused(text: String) {
    #expect(SwapPlace(parsing: text) == nil)
  }

  @Test("are replayed only where nobody's bytes are lost", arguments: places)
  func replayed(place: SwapPlace) throws {
    var plan = Plan(Selection(scenarios: ["fork"]), seed: Seed(1))
    plan.swapPlace = place
    let trial = TrialRecord(
      case: try #require(CaseName("fork.pread.staged")), trial: 0, inFlight: 1, hazards: [], damage: [],
      offset: 0,
      length: 512, timeline: [])
    let again = try Replay.plan([trial], of: plan, times: 1)
    #expect(again.swapPlace == (place.kind == .zram || place.kind == .file ? place : nil))
  }

  @Test("are told apart in /proc/swaps")
  func areas() {
    let text = """
      Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
      /dev/vdb                                partition\t524284\t\t0\t\t-2
      /dev/zram0                              partition\t65532\t\t12\t\t32767
      """
    let areas = SwapArea.all(in: text)
    #expect(areas.map(\.path) == ["/dev/vdb", "/dev/zram0"] && areas.map(\.priority) == [-2, 32767])
    #expect(areas.map(\.isZram) == [false, true])
    #expect(
      SwapArea.all(in: "Filename\tType\tSize\tUsed\tPriority\n").isEmpty && SwapArea.all(in: "").isEmpty)
  }
}
