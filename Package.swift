// swift-tools-version: 6.3
import PackageDescription

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

let package = Package(
  name: "repro",
  products: [
    .executable(name: "repro", targets: ["ReproCommand"]),
    .executable(name: "oneshot", targets: ["OneShot"]),
    .executable(name: "bench", targets: ["ReproBench"]),
    .library(name: "Repro", targets: ["Repro"]),
    .library(name: "ReproLab", targets: ["ReproLab"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", exact: "2.1.1"),
    .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    .package(url: "https://github.com/google/swift-benchmark", exact: "0.1.2"),
  ],
  targets: [
    .systemLibrary(name: "CLibaio", providers: [.apt(["libaio-dev"])]),
    .target(
      name: "CKernel",
      cSettings: [.enableWarning("all"), .enableWarning("extra"), .treatAllWarnings(as: .error)]),
    .target(
      name: "Repro", dependencies: ["CKernel", "CLibaio", system],
      resources: [
        .embedInCode("Catalogue/bugs.txt"), .embedInCode("Catalogue/measured.txt"),
        .embedInCode("Export/skeleton.c.in"), .embedInCode("Export/report-head.c.in"),
        .embedInCode("Export/race.c.in"),
        .embedInCode("Export/settings.c.in"), .embedInCode("Export/report.c.in"),
        .embedInCode("Export/init.c.in"), .embedInCode("Export/hold-fuse.c.in"),
        .embedInCode("Export/hold-fault.c.in"), .embedInCode("Export/file-fuse.c.in"),
        .embedInCode("Export/file-fault.c.in"), .embedInCode("Export/report-json.c.in"),
      ],
      swiftSettings: strict),
    .executableTarget(name: "OneShot", dependencies: ["Repro", "CKernel"], swiftSettings: strict),
    .target(
      name: "ReproLab",
      dependencies: [
        "Repro", "CKernel", system, .product(name: "Subprocess", package: "swift-subprocess"),
        .product(name: "Mustache", package: "swift-mustache"), .product(name: "GRDB", package: "GRDB.swift"),
      ],
      resources: [
        .embedInCode("kernels.txt"), .embedInCode("Architectures/architectures.txt"),
        .embedInCode("Reports/HTML/page.mustache"), .embedInCode("Reports/HTML/page.css"),
        .embedInCode("Reports/HTML/page.js"),
        .embedInCode("mutations.txt"), .embedInCode("mutations-6.1.txt"), .embedInCode("mutant.config"),
        .embedInCode("mutant-sources.txt"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "ReproCommand",
      dependencies: [
        "Repro", "ReproLab", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "ReproBench",
      dependencies: [
        "Repro", "ReproLab", "CKernel", system,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Subprocess", package: "swift-subprocess"),
        .product(name: "Benchmark", package: "swift-benchmark"),
      ],
      swiftSettings: strict),
    .target(name: "TestHost", path: "Tests/TestHost", swiftSettings: strict),
    .testTarget(
      name: "ReproTests", dependencies: ["Repro", "CKernel", "TestHost", system], swiftSettings: strict),
    .testTarget(
      name: "ReproLabTests", dependencies: ["ReproLab", "Repro", "CKernel", "TestHost"], swiftSettings: strict
    ),
    .executableTarget(
      name: "Crasher", dependencies: ["Repro", "CKernel"], path: "Tests/Crasher", swiftSettings: strict),
    .testTarget(
      name: "ReproCommandTests", dependencies: ["Repro", "TestHost", "Crasher"], swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
