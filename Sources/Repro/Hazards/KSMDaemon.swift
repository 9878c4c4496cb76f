import Glibc
import SystemPackage

/// ksmd: how it is set up, and how one waits for it. It compares a page only once its checksum was the same
/// in two scans, so hazards wait for full scans and not for a time.
enum KSMDaemon {
  /// ksmd scans often, everything, and by no policy of its own (Documentation/mm/ksm.rst). Without any sleep
  /// it would keep a CPU busy, and a trial in a guest that shares its CPUs waits for that.
  static let settings: [Setting] = [
    // The advisor (6.8) would refuse pages_to_scan; smart scan (6.7) skips pages that failed before.
    .file("/sys/kernel/mm/ksm/advisor_mode", "none", .wished),
    .file("/sys/kernel/mm/ksm/smart_scan", "0", .wished),
    .file("/sys/kernel/mm/ksm/pages_to_scan", "1000"),
    .file("/sys/kernel/mm/ksm/sleep_millisecs", "\(sleep)"),
    .file(run, "1"),
  ]

  /// Milliseconds between scans.
  fileprivate static let sleep = 1

  /// Full scans in which it must have merged what it can.
  static let scans = 3
  private static let run = "/sys/kernel/mm/ksm/run"

  /// Waits until ksmd merged all pages, or has scanned often enough, or `patience` is over.
  /// - Parameter merged: whether each page is merged by now.
  /// - Returns: an outcome a page.
  static func outcomes(
    _ patience: Nanoseconds, with partner: String, merged: () throws(KernelError) -> [Bool]
  ) throws(KernelError) -> [HazardOutcome] {
    let control = try KSMControl()
    let start = try control.fullScans()
    let deadline = Clock.now + patience
    while true {
      let scans = try control.fullScans() - start
      let merged = try merged()
      if KernelFile.number(run) != 1 {
        return merged.map { _ in .noEffect("ksmd was stopped by somebody else: \(run) is no longer 1") }
      }
      let isTime = Clock.now > deadline || Interrupts.signal != nil
      if merged.allSatisfy({ $0 }) || scans >= Self.scans || isTime {
        return merged.map { isMerged in
          if isMerged { return .applied("ksmd merged the page with \(partner): they are one frame") }
          if scans >= Self.scans {
            return .refused(
              "ksmd made \(scans) full scans over the page and \(partner), the same bytes, and merged nothing"
            )
          }
          return .noEffect("ksmd made \(scans) of \(Self.scans) full scans in time")
        }
      }
      // A scan of much memory takes long, and may have merged these pages at its start.
      try control.awaitScan(start + scans, for: Clock.milliseconds(5))
    }
  }

  /// In C: a twin, and whether it is one with the page.
  static let cTwin = """
    static unsigned char *twin; /* room for pages with the same bytes */

    static bool is_one_with_twin(void)
    {
      return !((pagemap(buf) ^ pagemap(twin)) & FRAME);
    }
    """

  /// In C: how one waits for ksmd.
  static let cScan = """
    /*
     * Waits for ksmd: whether that was so before it had scanned all three times. Each new time to
     * sleep wakes it (since Linux 5.0): a tick is long where a processor is emulated.
     */
    static bool merges(bool (*is_merged)(void))
    {
      int fd = open("/sys/kernel/mm/ksm/full_scans", O_RDONLY | O_CLOEXEC);
      int pause = open("/sys/kernel/mm/ksm/sleep_millisecs", O_WRONLY | O_CLOEXEC);
      static int turn;
      char scans[32] = "";
      long enough = 0;
      bool merged;

      do {
        (void)!pwrite(pause, turn++ % 2 ? "1" : "2", 1, 0);
        usleep(200);
        if (pread(fd, scans, sizeof(scans) - 1, 0) > 0 && !enough)
          enough = atol(scans) + \(scans);
        merged = is_merged();
      } while (!merged && atol(scans) < enough);
      close(fd);
      close(pause);
      return merged;
    }
    """

  /// In C: the twins are above the page. Of two pages that are the same ksmd replaces the lower one.
  static let cSetUp = """
    twin = above;
    if (mprotect(twin, 2 * page_size, PROT_READ | PROT_WRITE) < 0 ||
        madvise(twin, 2 * page_size, MADV_MERGEABLE) < 0)
      END(SKIPPED, "MADV_MERGEABLE: %m; build the kernel with CONFIG_KSM");
    """

  /// In C: where the page itself became the shared one, the twin has what was read.
  static let cLookAtTwin = """
    if (memchr(twin, DATA, page_size)) {
      damage = (struct damage){
        "leaked elsewhere", "twin", "second", 0, 1, FILL, DATA };
      good = false;
    }
    """
}

/// Two of ksmd's files, open: what a trial reads again and again while it waits is not to cost more than what it
/// waits for.
private struct KSMControl: ~Copyable {
  private static let folder = "/sys/kernel/mm/ksm"
  private let scans: FileDescriptor
  private let sleep: FileDescriptor

  init() throws(KernelError) {
    let scans = try Self.opened("full_scans", .readOnly)
    do throws(KernelError) {
      sleep = try Self.opened("sleep_millisecs", .writeOnly)
    } catch {
      try? scans.close()
      throw error
    }
    self.scans = scans
  }

  private static func opened(
    _ name: String, _ mode: FileDescriptor.AccessMode
  ) throws(KernelError) -> FileDescriptor {
    try attempt("open \(folder)/\(name)") {
      try FileDescriptor.open(FilePath("\(folder)/\(name)"), mode, options: .closeOnExec)
    }
  }

  deinit {
    try? scans.close()
    try? sleep.close()
  }

  func fullScans() throws(KernelError) -> Int {
    var text: (UInt64, UInt64, UInt64) = (0, 0, 0)
    let count = withUnsafeMutableBytes(of: &text) { pread(scans.rawValue, $0.baseAddress, $0.count, 0) }
    if count <= 0 { throw .last("read \(Self.folder)/full_scans") }
    return withUnsafeBytes(of: &text) {
      $0.prefix(count).prefix { $0 >= 0x30 && $0 <= 0x39 }.reduce(0) { 10 * $0 + Int($1 - 0x30) }
    }
  }

  /// Waits until there are more scans than `seen`, or for `patience`.
  ///
  /// Each new time to sleep wakes ksmd (since Linux 5.0, mm/ksm.c, sleep_millisecs_store()): a tick is long where a
  /// processor is emulated. Only on a machine of one's own, since a setting is put back only from what it was set to:
  /// who is killed between the two would leave the other.
  func awaitScan(_ seen: Int, for patience: Nanoseconds) throws(KernelError) {
    let end = Clock.now + patience
    repeat {
      if OwnMachine.isOurs {
        set(2)
        usleep(200)
        set(KSMDaemon.sleep)
      }
      usleep(200)
    } while try fullScans() <= seen && Clock.now < end
  }

  private func set(_ milliseconds: Int) {
    var text = "\(milliseconds)"
    text.withUTF8 { _ = pwrite(sleep.rawValue, $0.baseAddress, $0.count, 0) }
  }
}

/// Pages with the same bytes as those under I/O, for ksmd to merge with them. They lie above the buffer:
/// ksmd scans upwards, and of two pages that it finds to be the same the first is replaced by the second.
final class KSMTwins: @unchecked Sendable {  // one thread at a time uses it
  private let depth: Int
  private let copies: Int
  private var range: AddressRange?

  /// - Parameter copies: twins a page.
  init(depth: Int, copies: Int = 1) {
    self.depth = depth
    self.copies = copies
  }

  /// Twin number `copy` of a page.
  private func twin(_ page: Int, _ base: UnsafeMutableRawPointer, copy: Int = 0) -> UnsafeMutableRawPointer {
    base + (copy * depth + page) * kernelPageSize
  }

  /// Gives each page its twins, once they are mapped.
  func fill(_ pages: PagesUnderIO) throws(KernelError) {
    let base = try mapped(above: pages.memory.base + pages.memory.length)
    for copy in 0..<copies {
      for (page, address) in pages.addresses.enumerated() {
        memcpy(twin(page, base, copy: copy), address, pages.size)
      }
    }
  }

  private func mapped(above floor: UnsafeMutableRawPointer) throws(KernelError) -> UnsafeMutableRawPointer {
    if let range { return range.base }
    let range = try AddressRange(length: copies * depth * kernelPageSize, above: floor)
    try AddressRange.map(range.base, range.length, MAP_PRIVATE | MAP_ANONYMOUS)
    _ = madvise(range.base, range.length, MADV_NOHUGEPAGE)
    self.range = range
    return range.base
  }

  /// Lets ksmd scan the twins, or no more.
  func advise(_ advice: CInt, _ name: String) throws(KernelError) {
    if let range { try Repro.advise(advice, name, range.base, range.length) }
  }

  /// Gives the twins' frames back, so that the next ones are charged to whoever fills them.
  func drop() {
    if let range { madvise(range.base, range.length, MADV_DONTNEED) }
  }

  /// pagemap's entries of the first twin of each page.
  func entries(_ pages: PagesUnderIO) throws(KernelError) -> [PageMapEntry] {
    guard let range else { return [] }
    return try pages.pageMap.entries(of: range.base, count: depth)
  }

  /// Whether the twins of each page are one frame by now.
  func areMerged(_ pages: PagesUnderIO) throws(KernelError) -> [Bool] {
    guard let range else { return [] }
    let entries = try pages.pageMap.entries(of: range.base, count: copies * depth)
    return (0..<depth).map { page in
      let frame = entries[page].frame
      return frame != nil && (1..<copies).allSatisfy { entries[$0 * depth + page].frame == frame }
    }
  }

  /// Whether each page is one frame with its twin.
  func areMerged(with pages: PagesUnderIO) throws(KernelError) -> [Bool] {
    guard let range else { return [] }
    let twins = try pages.pageMap.entries(of: range.base, count: depth)
    return zip(try pages.entries(), twins).map { $0.frame != nil && $0.frame == $1.frame }
  }

  /// What the twins hold: where the page itself became the shared one, the I/O's data.
  var views: [View] {
    guard let base = range?.base else { return [] }
    return (0..<depth).map { View(page: $0, copy: twin($0, base), region: .twin) }
  }
}
