// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "presence",
    platforms: [.macOS(.v26)],
    dependencies: [.package(name: "aviary", path: "../..")],
    targets: [
        .executableTarget(
            name: "Presence",
            dependencies: [.product(name: "AviaryClient", package: "aviary")])
    ]
)
