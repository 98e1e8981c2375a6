// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
    .enableExperimentalFeature("Lifetimes"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// For tests, which may use the library's experiments as freely but need no import discipline.
let relaxed: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

/// The release of `aviary` needs no Swift where it runs, and starts in half the time: the loader has
/// no libraries of Swift to find and to bind. Nobody loads what could look for its symbols, so that
/// the linker may leave out what is not used. The last two are what FoundationEssentials stands on;
/// lld, since gold warns of a function of FoundationEssentials that nothing here calls.
let standsAlone: [LinkerSetting] = [
    .unsafeFlags(
        [
            "-static-stdlib", "-use-ld=lld", "-Xlinker", "--no-export-dynamic",
            "-l_FoundationCollections", "-l_FoundationCShims",
        ],
        .when(platforms: [.linux], configuration: .release))
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let lifecycle = Target.Dependency.product(
    name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let arguments = Target.Dependency.product(
    name: "ArgumentParser", package: "swift-argument-parser")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")

/// What AviaryClient needs only where its user turns the package's trait on.
func optional(_ product: String, _ package: String, trait: String) -> Target.Dependency {
    .product(name: product, package: package, condition: .when(traits: [trait]))
}
let optionalLifecycle = optional(
    "ServiceLifecycle", "swift-service-lifecycle", trait: "ServiceLifecycle")
let metrics = optional("Metrics", "swift-metrics", trait: "Metrics")
let metricsTestKit = optional("MetricsTestKit", "swift-metrics", trait: "Metrics")
let tracing = optional("Tracing", "swift-distributed-tracing", trait: "Tracing")
let inMemoryTracing = optional("InMemoryTracing", "swift-distributed-tracing", trait: "Tracing")

let package = Package(
    name: "aviary",
    platforms: [.macOS(.v26)],
    products: [
        .executable(name: "aviary", targets: ["aviary"]),
        .library(name: "AviaryClient", targets: ["AviaryClient"]),
        .library(name: "AviaryTesting", targets: ["AviaryTesting"]),
    ],
    traits: [
        .trait(
            name: "ServiceLifecycle",
            description: "AviaryClient's ZooKeeper is a Service of swift-service-lifecycle."),
        .trait(name: "Metrics", description: "AviaryClient measures with swift-metrics."),
        .trait(
            name: "Tracing",
            description: "AviaryClient's requests are spans of swift-distributed-tracing."),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
    ],
    targets: [
        .target(name: "AviaryWire", dependencies: [nioCore], swiftSettings: strict),
        .target(
            name: "Zab", dependencies: ["AviaryWire", nioCore, deque], swiftSettings: strict),
        .target(
            name: "AviaryCore",
            dependencies: ["AviaryWire", "Zab", "CChecksums", nioCore, deque],
            swiftSettings: strict),
        .target(
            name: "AviaryStorage",
            dependencies: ["AviaryCore", "AviaryWire", "CChecksums", "CZlib", nioCore],
            swiftSettings: strict),
        .target(
            name: "AviaryServer",
            dependencies: [
                "AviaryWire", "Zab", "AviaryCore", "AviaryStorage", "CMalloc", nioCore, nioPosix,
                logging, crypto, lifecycle, signals,
            ], swiftSettings: strict),
        .target(
            name: "AviarySimulation",
            dependencies: [
                "AviaryStorage", "AviaryCore", "Zab", "AviaryWire", nioCore, deque,
            ], swiftSettings: strict),
        .target(
            name: "AviaryClient",
            dependencies: [
                "AviaryWire", nioCore, nioPosix, deque, logging, crypto, optionalLifecycle, metrics,
                tracing,
            ], swiftSettings: strict),
        .executableTarget(
            name: "aviary",
            dependencies: [
                "AviaryClient", "AviaryServer", "AviarySimulation", "AviaryStorage", "AviaryCore",
                "AviaryWire", arguments, histogram, logging, lifecycle, nioCore, nioPosix, signals,
            ], swiftSettings: strict, linkerSettings: standsAlone),
        .executableTarget(
            name: "Presence", dependencies: ["AviaryClient"], path: "Examples/Presence",
            swiftSettings: relaxed),
        // Linked with the counter of allocations, so it is nobody else's.
        .executableTarget(
            name: "MicroBenchmarks",
            dependencies: [
                "AviaryCore", "AviaryStorage", "AviaryWire", "CAllocationCounter", arguments,
                nioCore,
            ], path: "Benchmarks/Micro", swiftSettings: relaxed),
        // Servers for the tests of those who use Aviary.
        .target(
            name: "AviaryTesting",
            dependencies: ["AviaryServer", "AviaryWire", logging], swiftSettings: strict),

        // gzip for snapshots; its header comes with what Swift itself needs on Linux.
        .systemLibrary(
            name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        // Instructions for checksums that Swift has no name for.
        .target(name: "CChecksums"),
        // What of glibc's allocator Swift does not see.
        .target(name: "CMalloc"),
        // What is fuzzed, linked into tests and the fuzzer only.
        .target(
            name: "AviaryFuzzing",
            dependencies: ["AviaryServer", "AviaryStorage", "AviaryCore", "AviaryWire", nioCore],
            swiftSettings: relaxed),
        // Counts allocations; linked into tests only.
        .target(name: "CAllocationCounter"),
        // What servers of Apache said to each other, and how it is read; linked into tests only.
        .target(
            name: "Recordings", dependencies: ["AviaryWire", nioCore], path: "Tests/Recordings",
            swiftSettings: relaxed),
        .testTarget(
            name: "AviaryWireTests", dependencies: ["AviaryWire", "Recordings", nioCore],
            swiftSettings: relaxed),
        .testTarget(
            name: "ZabTests", dependencies: ["Zab", "AviaryWire", "Recordings", nioCore],
            swiftSettings: relaxed),
        .testTarget(
            name: "AviaryCoreTests",
            dependencies: [
                "AviaryCore", "Zab", "AviaryWire", "Recordings", "CAllocationCounter", "CMalloc",
                nioCore,
            ], swiftSettings: relaxed),
        .testTarget(
            name: "AviaryStorageTests",
            dependencies: [
                "AviaryStorage", "AviaryCore", "AviaryServer", "AviaryWire", nioCore,
            ], swiftSettings: relaxed),
        .testTarget(
            name: "AviaryServerTests",
            dependencies: [
                "AviaryServer", "AviaryStorage", "AviaryCore", "Zab", "AviaryWire",
                "CAllocationCounter", nioCore, nioPosix, logging,
            ], swiftSettings: relaxed),
        .testTarget(
            name: "AviaryClientTests",
            dependencies: [
                "AviaryClient", "AviaryServer", "AviaryCore", "AviaryWire", "CAllocationCounter",
                deque, nioCore, nioPosix, logging, optionalLifecycle, metrics, metricsTestKit,
                tracing, inMemoryTracing,
            ], swiftSettings: relaxed),
        .testTarget(
            name: "AviaryTestingTests", dependencies: ["AviaryTesting", "AviaryClient"],
            swiftSettings: relaxed),
        .testTarget(
            name: "AviarySimulationTests", dependencies: ["AviarySimulation"],
            exclude: ["Scenarios"],
            swiftSettings: relaxed),
        .testTarget(
            name: "AviaryFuzzingTests", dependencies: ["AviaryFuzzing"], swiftSettings: relaxed),
    ]
)

// The plugin is for those who make the documentation; nobody else has to fetch it.
if Context.environment["AVIARY_DOCS"] != nil {
    package.dependencies.append(
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"))
}

// Set by Scripts/fuzz: our own code is built so that libFuzzer sees what an input reaches.
if Context.environment["AVIARY_FUZZING"] != nil {
    let ours = [
        "AviaryWire", "Zab", "AviaryCore", "AviaryStorage", "AviaryServer", "AviaryFuzzing",
    ]
    for target in package.targets where ours.contains(target.name) {
        target.swiftSettings = (target.swiftSettings ?? []) + [.unsafeFlags(["-sanitize=fuzzer"])]
    }
    package.targets += [
        .target(name: "CFuzzer"),
        .executableTarget(
            name: "aviary-fuzz", dependencies: ["AviaryFuzzing", "CFuzzer"],
            swiftSettings: relaxed),
    ]
}
