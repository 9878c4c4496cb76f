import Testing

@testable import ReproLab

@Suite("Private apt sources")
struct AptSourcesTests {
  private static let deb822 = """
    Types: deb
    # a snapshot
    URIs: http://mirror.example/debian
    Suites: bookworm bookworm-updates
    Components: main
    Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

    Types: deb deb-src
    URIs: http://mirror.example/debian-security
    Suites: bookworm-security
    Components: main
    Check-Valid-Until: no
    """

  @Test func deb822KeepsMirrorAndOptions() {
    let sources = AptSources(files: [("a.sources", Self.deb822)])
    #expect(
      sources.sources(forSuite: "sid") == """
        Types: deb
        URIs: http://mirror.example/debian
        Suites: sid
        Components: main
        Architectures: amd64
        Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

        """)
    #expect(
      sources.sources(forSuite: "bullseye-security") == """
        Types: deb
        URIs: http://mirror.example/debian-security
        Suites: bullseye-security
        Components: main
        Architectures: amd64
        Check-Valid-Until: no

        """)
  }

  @Test func anEmbeddedKeyIsKept() {
    let text = """
      Types: deb
      URIs: http://m.example/debian/
      Suites: trixie
      Components: main contrib
      Signed-By:
       -----BEGIN PGP PUBLIC KEY BLOCK-----
       .
       abc
      """
    let sources = AptSources(files: [("a.sources", text)]).sources(forSuite: "sid")
    #expect(sources.hasSuffix("Signed-By: \n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n"))
  }

  @Test func oneLineEntries() {
    let text = """
      # deb http://commented.example/debian sid main
      deb-src http://source.example/debian bookworm main
      deb [arch=amd64 signed-by=/k.gpg trusted=yes] http://one.example/pub/debian bookworm main contrib
      """
    let sources = AptSources(files: [("/etc/apt/sources.list", text)])
    #expect(
      sources.archives == [
        AptSources.Archive(
          uri: "http://one.example/pub/debian",
          options: [.init(name: "Signed-By", value: "/k.gpg"), .init(name: "Trusted", value: "yes")])
      ])
    #expect(
      sources.sources(forSuite: "bookworm-security").contains(
        "URIs: http://one.example/pub/debian-security\n"))
  }

  @Test func otherProjectsArchivesDoNotCount() {
    let text = """
      deb https://download.docker.example/linux/debian bookworm stable
      deb https://deb.nodesource.example/node_20.x nodistro main
      deb http://off.example/debian bookworm contrib
      """
    let sources = AptSources(files: [
      ("x.list", text), ("x.list.disabled", "deb http://no.example/debian sid main"),
    ])
    #expect(sources.sources(forSuite: "sid").contains("URIs: http://deb.debian.org/debian\n"))
    #expect(AptSources(files: []).sources(forSuite: "x-security").contains("/debian-security\n"))
  }

  @Test func disabledStanzasDoNotCount() {
    let sources = AptSources(files: [("a.sources", "Enabled: no\n" + Self.deb822)])
    #expect(sources.archives.map(\.uri) == ["http://mirror.example/debian-security"])
  }

  @Test func kernelPackagesAreFollowed() {
    let show = """
      Package: linux-image-7.2.12+deb14-cloud-amd64
      Pre-Depends: linux-base
      Depends: dracut | initramfs-tools (>= 0.120), kmod, linux-base-7.2.12+deb14-cloud-amd64 (= 7.2.12-1), \
      linux-binary-7.2.12+deb14-cloud-amd64 (= 7.2.12-1), linux-modules-7.2.12+deb14-cloud-amd64:amd64
      Recommends: linux-image-other
      """
    #expect(
      PrivateApt.kernelDependencies(inShow: show) == [
        "linux-base-7.2.12+deb14-cloud-amd64", "linux-binary-7.2.12+deb14-cloud-amd64",
        "linux-modules-7.2.12+deb14-cloud-amd64",
      ])
  }
}
