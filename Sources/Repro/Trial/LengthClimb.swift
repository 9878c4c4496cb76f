/// Climbs to the length of I/O that brings most exposures a second: longer I/O gives the hazard more room,
/// and takes longer. Surveys some of the lengths first, since short I/O that a hazard now and then just fits into
/// looks no better from its neighbours; then tries others from the best one known, near ones and far ones, less and
/// less often: of many small steps none may show to be better, and the survey judged the first while aiming was
/// still to be learned.
struct LengthClimb: Sendable {
  /// What a length is judged by.
  private struct Epoch {
    var trials = 0
    var exposures = 0
    var seconds = 0.0
    /// Of all trials.
    private var allSeconds = 0.0

    /// Trials that only show how it is to be aimed at the length.
    private var unused = 3

    /// Of the first length, at which all aiming is still to be learned.
    static var first: Epoch {
      var epoch = Epoch()
      epoch.unused = 16
      return epoch
    }

    mutating func add(_ exposed: Int, _ lasting: Double) {
      trials += 1
      allSeconds += lasting
      // Where trials are slow there is no time to learn long.
      if allSeconds > 0.3 { unused = min(unused, max(3, trials - 1)) }
      if trials <= unused { return }
      exposures += exposed
      seconds += lasting
    }

    /// Exposures a second if each trial had `most`, once there are two to say how long they take.
    func limit(_ most: Int) -> Double? {
      trials < 2 ? nil : Double(most * trials) / max(allSeconds, 1e-9)
    }

    /// Exposures a second, once there are enough trials to say.
    var score: Double? {
      let counted = trials - unused
      let isSlow = counted >= 5 && seconds >= 0.15
      let isEnough =
        counted >= 24 || counted >= 8 && seconds >= 0.3 || exposures == 0 && (counted >= 12 || isSlow)
      return isEnough ? Double(exposures) / max(seconds, 1e-9) : nil
    }
  }

  /// Another must be better by this factor.
  private static let gain = 1.15
  private static let longestRest = 64

  /// Of the survey, each is so many further than the one before: four to six times as long.
  private static let stride = 4
  private static let steps = [-stride, 1, -1, stride]
  /// The survey ends at a length that brings less than this share of the best one.
  private static let hopeless = 0.5

  private let lengths: [Int]
  private var isSurveying: Bool
  private var index = 0
  /// The best one known, and its exposures a second.
  private var home = 0
  private var homeScore: Double?
  /// Which of ``steps`` is tried next from home.
  private var step = 0
  /// Steps that were tried from home in vain.
  private var failures = 0
  /// Epochs to stay at home before others are tried again.
  private var rest = 0
  private var nextRest = 4
  private var epoch = Epoch.first
  /// Exposures of the best trial so far.
  private var most = 0

  /// - Parameter lengths: ascending, at least one; it begins with the first.
  init(_ lengths: [Int]) {
    self.lengths = lengths
    isSurveying = lengths.count > Self.stride
  }

  /// From `shortest` to `longest` in whole pages, each half of one or a third longer than the one before.
  init(from shortest: Int, to longest: Int) {
    var lengths = [shortest]
    var octave = 2 * shortest
    while octave < longest {
      lengths += [octave, octave / 2 * 3].filter { $0 < longest }
      octave *= 2
    }
    if shortest < longest { lengths.append(longest) }
    self.init(lengths)
  }

  /// The length of the next trial.
  var length: Int { lengths[index] }

  /// Learns what a trial of ``length`` brought.
  /// - Parameters:
  ///   - exposures: pages.
  ///   - seconds: of the whole trial.
  mutating func learn(exposures: Int, seconds: Double) {
    most = max(most, exposures)
    epoch.add(exposures, seconds)
    // One that takes too long to be better whatever it hits is left at once.
    let hopeless = index == home ? nil : epoch.limit(most).flatMap { $0 < homeScore ?? 0 ? $0 : nil }
    guard let score = epoch.score ?? hopeless else { return }
    epoch = Epoch()
    if isSurveying { survey(score) } else if index == home { settle(score) } else { compare(score) }
  }

  private mutating func survey(_ score: Double) {
    if score >= homeScore ?? 0 {
      home = index
      homeScore = score
    }
    index += Self.stride
    if score < Self.hopeless * (homeScore ?? 0) || !lengths.indices.contains(index) {
      isSurveying = false
      index = home
    }
  }

  private mutating func settle(_ score: Double) {
    homeScore = homeScore.map { ($0 + score) / 2 } ?? score
    if score == 0, homeScore == 0 {
      // Nothing to climb by: much longer ones until something is hit.
      home = (home + min(2, lengths.count - 1)) % lengths.count
      index = home
      homeScore = nil
    } else if rest > 0 {
      rest -= 1
    } else {
      tryAnother()
    }
  }

  private mutating func compare(_ score: Double) {
    if score > Self.gain * (homeScore ?? 0) {
      home = index
      homeScore = score
      failures = 0
      nextRest = 4
      index = next
      return
    }
    index = home
    step = (step + 1) % Self.steps.count
    failures += 1
    if failures < Self.steps.count { return }
    failures = 0
    rest = nextRest
    nextRest = min(2 * nextRest, Self.longestRest)
  }

  private mutating func tryAnother() {
    for _ in Self.steps where next == home {
      step = (step + 1) % Self.steps.count
      failures += 1
    }
    index = next
  }

  /// The end of the next step; far ones end with the lengths.
  private var next: Int { min(max(0, home + Self.steps[step]), lengths.count - 1) }
}
