/// How much each place of a picture spoke for a class: the class-activation map.
///
///     value[y][x] = Σ weights[class][c] · head[y][x][c]
///
/// with the classifier's weights and what the head's convolution has made before it is averaged over the picture. So the
/// mean of the values is the class's logit without the classifier's bias.
///
/// Numerics: summed in `Double`, channels ascending. In int8 the mean is that of features which are not rounded to bytes
/// for the classifier.
/// Source: Zhou et al., "Learning Deep Features for Discriminative Localization", 2016, equation 2.
public struct ActivationMap: Equatable, Sendable {
    public let classIndex: Int
    public let height: Int
    public let width: Int
    /// `[height][width]`. Units: of the logits.
    public let values: [Float]

    public init(classIndex: Int, height: Int, width: Int, values: [Float]) {
        precondition(values.count == height * width, "\(values.count) values for \(width)×\(height)")
        self.classIndex = classIndex
        self.height = height
        self.width = width
        self.values = values
    }
}

extension ActivationMap {
    /// The map over a picture of `height` by `width`, bilinearly between the middles of its cells; beyond the outermost
    /// middles it stays as it is.
    ///
    /// Shapes: `[height][width]`.
    public func enlarged(height newHeight: Int, width newWidth: Int) -> [Float] {
        let rows = Self.taps(count: newHeight, over: height)
        let columns = Self.taps(count: newWidth, over: width)
        return rows.flatMap { row in
            columns.map { column in
                func between(_ y: Int) -> Float {
                    let (left, right) = (values[y * width + column.lower], values[y * width + column.upper])
                    return left * (1 - column.weight) + right * column.weight
                }
                return between(row.lower) * (1 - row.weight) + between(row.upper) * row.weight
            }
        }
    }

    /// For each of `count` places the two cells it lies between, and the weight of the second.
    private static func taps(count: Int, over cells: Int) -> [(lower: Int, upper: Int, weight: Float)] {
        (0..<count).map { index in
            let middle = (Float(index) + 0.5) * Float(cells) / Float(count) - 0.5
            let clamped = min(max(middle, 0), Float(cells - 1))
            let lower = Int(clamped)
            return (lower, min(lower + 1, cells - 1), clamped - Float(lower))
        }
    }
}

/// What a plan's last feature map is made of, to be weighed by class.
struct ActivationMaps {
    /// `[classes][channels]`.
    private let weights: [[Float]]
    private let classes: [Int]
    private var values: [[Float]]

    init(classes: [Int], pixels: Int, weights: (Int) -> [Float]) {
        self.classes = classes
        self.weights = classes.map(weights)
        values = classes.map { _ in
            var values: [Float] = []
            values.reserveCapacity(pixels)
            return values
        }
    }

    /// Adds the next `count` pixels. Shapes: `[count][stride] f32`.
    mutating func append(_ features: UnsafePointer<Float>, count: Int, stride: Int) {
        for (index, weights) in weights.enumerated() {
            for pixel in 0..<count {
                let row = features + pixel * stride
                var sum = 0.0
                for channel in weights.indices { sum += Double(weights[channel]) * Double(row[channel]) }
                values[index].append(Float(sum))
            }
        }
    }

    /// - Precondition: all pixels have been added.
    func maps(height: Int, width: Int) -> [ActivationMap] {
        zip(classes, values).map { ActivationMap(classIndex: $0, height: height, width: width, values: $1) }
    }
}
