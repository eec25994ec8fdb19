// swift-tools-version: 6.2
import PackageDescription

// Who may import whom is the table of docs/architecture.md; `scripts/check-layers` holds this file against it.

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

/// The commit that is built, for `swiftlet --version`; `+` marks a work tree with changes. An image is built without one.
let commit =
    Context.environment["SWIFTLET_COMMIT"]
    ?? Context.gitInformation.map { $0.currentCommit.prefix(12) + ($0.hasUncommittedChanges ? "+" : "") } ?? "unknown"

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
        .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "Parallelism"),
        .target(name: "Telemetry", dependencies: ["Parallelism"]),
        .target(name: "Tensors"),

        // Engine
        .target(name: "CKernels", exclude: ["templates"]),
        .target(name: "Kernels", dependencies: ["CKernels", "Tensors"]),
        .target(name: "EfficientNet", dependencies: ["Tensors"]),
        .target(name: "Checkpoints", dependencies: ["EfficientNet", "Tensors"]),
        .target(
            name: "Inference", dependencies: ["Checkpoints", "EfficientNet", "Kernels", "Parallelism", "Tensors"]),

        // Images
        .target(
            name: "CImageCodecs",
            linkerSettings: ["jpeg", "png", "webp", "z"].map { .linkedLibrary($0) }),
        .target(name: "Imaging", dependencies: ["CImageCodecs", "Parallelism", "Tensors"]),

        // Training and conversion
        .target(name: "Quantization", dependencies: ["Imaging", "Inference"]),

        // Server
        .target(name: "HTTP", dependencies: [httpTypes]),
        .target(name: "Transport", dependencies: ["COpenSSL", "Parallelism"]),
        .target(name: "HTTPServer", dependencies: ["CZlib", "HTTP", "Transport", "Parallelism", httpTypes, logging]),
        .target(name: "OpenInference", dependencies: ["HTTP"]),

        // Service
        .target(name: "Batching", dependencies: ["Parallelism", "Telemetry", deque]),
        .target(
            name: "Classification",
            dependencies: [
                "Batching", "COpenSSL", "Checkpoints", "HTTPServer", "Imaging", "Inference", "OpenInference",
                "Telemetry",
                configuration, deque,
            ],
            resources: [.embedInCode("Page/page.html")]),

        // Command line
        .target(name: "CBuildInfo", cSettings: [.define("SWIFTLET_COMMIT", to: "\"\(commit)\"")]),
        .executableTarget(
            name: "swiftlet", dependencies: ["CBuildInfo", "Classification", "Quantization", argumentParser]),

        // Tests
        .target(
            name: "TestSupport", dependencies: ["COpenSSL", "Checkpoints", "EfficientNet", "Parallelism", "Tensors"],
            path: "Tests/TestSupport"),
        .target(name: "CAllocations", path: "Tests/CAllocations"),
        .testTarget(name: "BatchingTests", dependencies: ["Batching", "TestSupport"]),
        .testTarget(name: "CheckpointsTests", dependencies: ["Checkpoints", "TestSupport"]),
        .testTarget(
            name: "ClassificationTests",
            dependencies: ["CAllocations", "CZlib", "Classification", "HTTPServer", "TestSupport", httpTypes, logging]),
        .testTarget(name: "EfficientNetTests", dependencies: ["EfficientNet", "TestSupport"]),
        .testTarget(
            name: "FuzzTests",
            dependencies: ["Checkpoints", "Classification", "HTTP", "HTTPServer", "OpenInference", "TestSupport"]),
        .testTarget(
            name: "HTTPServerTests", dependencies: ["CAllocations", "CZlib", "HTTPServer", "TestSupport", httpTypes]),
        .testTarget(name: "HTTPTests", dependencies: ["HTTP", "TestSupport", httpTypes]),
        .testTarget(name: "ImagingTests", dependencies: ["CImageCodecs", "Imaging", "TestSupport"]),
        .testTarget(name: "InferenceTests", dependencies: ["Inference", "TestSupport"]),
        .testTarget(name: "KernelsTests", dependencies: ["CKernels", "Kernels", "TestSupport"]),
        .testTarget(name: "OpenInferenceTests", dependencies: ["OpenInference", "TestSupport"]),
        .testTarget(name: "ParallelismTests", dependencies: ["Parallelism", "TestSupport"]),
        .testTarget(name: "QuantizationTests", dependencies: ["Quantization", "TestSupport"]),
        .testTarget(name: "TelemetryTests", dependencies: ["Telemetry", "TestSupport"]),
        .testTarget(name: "TensorsTests", dependencies: ["Tensors", "TestSupport"]),
        .testTarget(name: "TransportTests", dependencies: ["Transport", "TestSupport"]),
        .testTarget(name: "swiftletTests", dependencies: ["swiftlet", "TestSupport"]),
    ],
    swiftLanguageModes: [.v6]
)

// `scripts/test` asks for it; whoever builds with a later compiler should not fail for its new warnings.
if Context.environment["WARNINGS_AS_ERRORS"] != nil {
    for target in package.targets where target.type != .system {
        target.swiftSettings = (target.swiftSettings ?? []) + [.treatAllWarnings(as: .error)]
        target.cSettings = (target.cSettings ?? []) + [.treatAllWarnings(as: .error)]
    }
}
