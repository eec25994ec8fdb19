import Testing

@testable import EfficientNet

struct CostTests {
    /// Total and parts as the design gives them, in units of 100,000.
    @Test func lite0CountsThePublishedMultiplyAccumulates() throws {
        let costs = try Architecture(named: "Lite0").costs(height: 224, width: 224)
        func millions(where matches: (Layer) -> Bool) -> Double {
            let sum = costs.filter { matches($0.layer) }.reduce(0) { $0 + $1.multiplyAccumulates }
            return (Double(sum) / 100_000).rounded() / 10
        }
        #expect(millions { _ in true } == 385.2)
        #expect(millions { $0.kernel == 1 && $0.location != .classifier } == 338.5)
        #expect(millions { $0.isDepthwise } == 34.5)
        #expect(millions { $0.location == .stem } == 10.8)
        #expect(millions { $0.location == .classifier } == 1.3)
    }

    @Test func summaryAddsUpToItsStages() throws {
        for architecture in Architecture.candidates(in: .timm) {
            let summary = try architecture.summary(height: 97, width: 65)
            #expect(summary.parameters == architecture.parameterCount)
            #expect(summary.macs == summary.stages.reduce(0) { $0 + $1.macs })
            #expect(summary.stages.count == architecture.stages.count + 3)
            #expect(summary.stages.dropFirst(3).dropLast(3).reduce(0) { $0 + $1.repeats } > 0)
            for (earlier, later) in zip(summary.stages, summary.stages.dropFirst()) where later.name != "classifier" {
                #expect(earlier.outputShape == later.inputShape, "\(architecture.name)")
            }
        }
    }

    @Test func shapesFollowTheTextbook() throws {
        let summary = try Architecture(named: "B0").summary()
        #expect(summary.inputShape == [3, 224, 224])
        #expect(
            summary.stages.map(\.outputShape) == [
                [32, 112, 112], [16, 112, 112], [24, 56, 56], [40, 28, 28], [80, 14, 14], [112, 14, 14], [192, 7, 7],
                [320, 7, 7], [1280, 7, 7], [1000, 1, 1],
            ])
        #expect(summary.stages[3].operation == "MBConv6 5×5, SE")
        // Stem: 32 × 112² outputs of 4 bytes, 27 MACs each.
        #expect(summary.stages[0].activationBytes == 1_605_632)
        #expect(summary.stages[0].macs == 10_838_016)
    }

    @Test(arguments: [1, 2, 31, 32, 33, 224, 65_536]) func everySizeHasShapes(size: Int) throws {
        for padding in Padding.allCases {
            var architecture = try Architecture(named: "B0")
            architecture.padding = padding
            let costs = try architecture.costs(height: size, width: 1)
            #expect(costs.allSatisfy { $0.outputShape.allSatisfy { $0 > 0 } && $0.multiplyAccumulates > 0 })
        }
    }

    @Test(arguments: [(0, 1), (1, 0), (-5, 224), (65_537, 1), (1, .max)]) func impossibleSizesAreRefused(
        height: Int, width: Int
    ) throws {
        let architecture = try Architecture(named: "B0")
        #expect(throws: ArchitectureError.impossibleInputSize(height: height, width: width)) {
            try architecture.summary(height: height, width: width)
        }
    }
}

struct PaddingTests {
    /// size, kernel, stride, outputs, before, after: TensorFlow's rule by hand.
    @Test(arguments: [
        [224, 3, 2, 112, 0, 1], [65, 3, 2, 33, 1, 1], [112, 5, 2, 56, 1, 2], [7, 5, 1, 7, 2, 2], [1, 5, 2, 1, 2, 2],
        [2, 3, 2, 1, 0, 1], [14, 1, 1, 14, 0, 0],
    ])
    func sameIsTensorFlows(_ row: [Int]) {
        let (size, kernel, stride) = (row[0], row[1], row[2])
        #expect(Padding.same.outputSize(of: size, kernel: kernel, stride: stride) == row[3])
        #expect(Padding.same.before(size: size, kernel: kernel, stride: stride) == row[4])
        #expect(Padding.same.after(size: size, kernel: kernel, stride: stride) == row[5])
    }

    @Test func symmetricNeverReadsBeyondItsPadding() {
        for size in 1...70 {
            for kernel in [1, 3, 5] {
                for stride in [1, 2] {
                    let outputs = Padding.symmetric.outputSize(of: size, kernel: kernel, stride: stride)
                    let last = (outputs - 1) * stride + kernel - 1
                    let padded = size + 2 * (kernel / 2)
                    #expect(outputs >= 1 && last < padded && last + stride >= padded, "\(size) \(kernel) \(stride)")
                }
            }
        }
    }
}

struct CompoundScalingTests {
    @Test func phiZeroIsB0() throws {
        let scaling = try CompoundScaling(phi: 0)
        let b0 = try Architecture(named: "B0")
        #expect(scaling.architecture.blocks == b0.blocks)
        #expect(scaling.architecture.headChannels == b0.headChannels)
        #expect(scaling.resolution == 224)
        #expect(abs(scaling.constraint - 1.92027) < 1e-6)
    }

    /// Equation 3 by hand: 1.2^1.5 = 1.3145, 1.1^1.5 = 1.1537, 224 · 1.15^1.5 = 276.2.
    @Test func phiScalesDepthWidthAndResolution() throws {
        let scaling = try CompoundScaling(phi: 1.5)
        #expect(abs(scaling.depth - 1.314534) < 1e-6)
        #expect(abs(scaling.width - 1.153690) < 1e-6)
        #expect(scaling.resolution == 276)
        #expect(scaling.architecture.inputSize == 276)
        #expect(scaling.architecture.stages.map(\.count) == [2, 3, 3, 4, 4, 6, 2])
        #expect(scaling.architecture.stem.outputChannels == 40)
    }

    @Test(
        arguments: [
            (.nan, 1.2, 1.1, 1.15), (.infinity, 1.2, 1.1, 1.15), (1, 0, 1.1, 1.15), (1, -1.2, 1.1, 1.15),
            (1000, 1.2, 1.1, 1.15), (-1000, 1.2, 1.1, 1.15), (1, 1.2, 1.1, .nan), (1, 1.2, 17, 1.15),
            (0.5, 1.2, 1.1, 0),
        ] as [(Double, Double, Double, Double)])
    func impossibleScalingsAreRefused(phi: Double, alpha: Double, beta: Double, gamma: Double) {
        #expect(throws: ArchitectureError.self) {
            try CompoundScaling(phi: phi, alpha: alpha, beta: beta, gamma: gamma)
        }
    }
}
