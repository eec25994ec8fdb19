// swift-tools-version: 6.2
import PackageDescription

// Who may import whom is the table of docs/architecture.md; `scripts/check-layers` holds this file against it.

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "swiftlet",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        // Foundations
        .target(name: "Parallelism"),
        .target(name: "Telemetry", dependencies: ["Parallelism"]),
        .target(name: "Tensors"),

        // Service
        .target(name: "Batching", dependencies: ["Parallelism", "Telemetry", deque]),

        // Tests
        .target(name: "TestSupport", dependencies: ["Tensors"], path: "Tests/TestSupport"),
        .testTarget(name: "BatchingTests", dependencies: ["Batching", "Parallelism", "Telemetry", "TestSupport"]),
        .testTarget(name: "ParallelismTests", dependencies: ["Parallelism", "TestSupport"]),
        .testTarget(name: "TelemetryTests", dependencies: ["Parallelism", "Telemetry"]),
        .testTarget(name: "TensorsTests", dependencies: ["Tensors", "TestSupport"]),
    ],
    swiftLanguageModes: [.v6]
)
