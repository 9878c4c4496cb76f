import Repro
import Testing

@Suite("Kernel version")
struct KernelVersionTests {
  @Test(
    "reads what a kernel calls itself",
    arguments: [
      ("6.1.176", "6.1.176"), ("6.5", "6.5"), ("6.18.0", "6.18"), ("6.18.0-rc3", "6.18"),
      ("7.2.12-cloud-amd64", "7.2.12"), ("6.12.117+deb13-cloud-amd64", "6.12.117"), ("6.18.0+", "6.18"),
      ("5.10.0-33-cloud-amd64", "5.10.?"), ("5.15.0-91-generic", "5.15.?"),
    ])
  func release(text: String, reads: String) {
    #expect(KernelVersion(release: text)?.description == reads)
  }

  @Test("takes the patch level from Debian's package version, not from its compiler's")
  func procVersion() {
    let banner = """
      Linux version 6.1.0-45-cloud-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) \
      12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-06-01)
      """
    #expect(
      KernelVersion(release: "6.1.0-45-cloud-amd64", procVersion: banner)
        == KernelVersion(6, 1, patch: 176))
    #expect(
      KernelVersion(release: "5.10.0-33-cloud-amd64", procVersion: banner)
        == KernelVersion(5, 10, patch: nil))
  }

  @Test("refuses what is no version", arguments: ["", "6", "6.", ".6", "six.one", "-6.1"])
  func refuses(text: String) {
    #expect(KernelVersion(release: text) == nil)
    #expect(KernelVersion(text) == nil)
  }

  @Test("a version in the catalogue has nothing after it", arguments: ["6.1.176-1", "6.5-rc1", "6.5."])
  func exact(text: String) {
    #expect(KernelVersion(text) == nil)
  }

  @Test("orders by number")
  func order() {
    let sorted = [
      KernelVersion(5, 9), KernelVersion(5, 10, patch: nil), KernelVersion(5, 10),
      KernelVersion(5, 10, patch: 101), KernelVersion(5, 10, patch: 102), KernelVersion(6, 4),
      KernelVersion(6, 18),
    ]
    #expect(sorted.reversed().sorted() == sorted)
  }

  @Test("an unknown patch level decides only within its series")
  func unknownPatch() {
    let version = KernelVersion(5, 10, patch: nil)
    #expect(version.isAtLeast(KernelVersion(5, 9)) == true)
    #expect(version.isAtLeast(KernelVersion(5, 10)) == true)
    #expect(version.isAtLeast(KernelVersion(5, 10, patch: 102)) == nil)
    #expect(version.isAtLeast(KernelVersion(5, 11)) == false)
  }
}
