import EfficientNet
import Inference
import Kernels
import Tensors

/// First and second moments of what a layer's outputs read: of its patches, `[inputs][kernel][kernel]`.
struct PatchMoments: Sendable {
    /// Length of a patch; of a depthwise layer of one channel's.
    let length: Int
    /// Channels that have moments of their own: those of a depthwise layer, else 1.
    let groups: Int
    private(set) var count = 0
    /// `[groups · length]`: sums of what the quantised layer reads, and of what the one in floating point reads.
    private(set) var sums: [Double]
    private(set) var floatSums: [Double]
    /// `[groups][length][length]`, of what the quantised layer reads.
    private(set) var products: [Double]
    /// Likewise, of what the one in floating point reads.
    private(set) var floatProducts: [Double]
    /// Likewise, of the two: floating point by rows, quantised by columns.
    private(set) var crossProducts: [Double]

    private let window: Window
    private let floatWindow: Window

    /// - Parameter outside: what the quantised layer finds outside its picture; see `Window`.
    init(_ layer: FloatLayer, padding: Padding, outside: [Float]? = nil) {
        window = Window(layer, padding: padding, outside: outside)
        floatWindow = Window(layer, padding: padding)
        groups = layer.role == .depthwise ? layer.outputs : 1
        length = layer.weightsPerOutput
        sums = [Double](repeating: 0, count: groups * length)
        floatSums = sums
        products = [Double](repeating: 0, count: groups * length * length)
        floatProducts = products
        crossProducts = products
    }

    /// Outputs of one picture that are looked at, at most.
    static let samplesAPicture = 196
    static let depthwiseSamplesAPicture = 64

    /// Adds what `picture` (bytes less their zero point) and `float` (real values) give.
    mutating func add(_ picture: Picture, float: Picture) {
        let size = window.outputSize(of: picture)
        let pixels = size.height * size.width
        let samples = min(pixels, groups == 1 ? Self.samplesAPicture : Self.depthwiseSamplesAPicture)
        let width = groups * length
        var rows = [Float](repeating: 0, count: samples * width)
        var floatRows = rows
        for sample in 0..<samples {
            let output = (2 * sample + 1) * pixels / (2 * samples)
            rows.withUnsafeMutableBufferPointer { rows in
                picture.values.withUnsafeBufferPointer {
                    window.gather($0, of: picture, output: output, into: rows.baseAddress! + sample * width)
                }
            }
            floatRows.withUnsafeMutableBufferPointer { rows in
                float.values.withUnsafeBufferPointer {
                    floatWindow.gather($0, of: float, output: output, into: rows.baseAddress! + sample * width)
                }
            }
        }
        count += samples
        for sample in 0..<samples {
            for i in 0..<width {
                sums[i] += Double(rows[sample * width + i])
                floatSums[i] += Double(floatRows[sample * width + i])
            }
        }
        if groups == 1 {
            addProducts(rows, floatRows, samples: samples)
        } else {
            addGroupProducts(rows, floatRows, samples: samples)
        }
    }

    /// rowsᵀ · rows and its like by the matrix kernel.
    private mutating func addProducts(_ rows: [Float], _ floatRows: [Float], samples: Int) {
        var columns = transposed(rows, samples: samples)
        var floatColumns = transposed(floatRows, samples: samples)
        let matrix = packed(columns, samples: samples)
        let floatMatrix = packed(floatColumns, samples: samples)
        add(&columns, matrix, samples: samples, to: &products)
        add(&floatColumns, matrix, samples: samples, to: &crossProducts)
        add(&floatColumns, floatMatrix, samples: samples, to: &floatProducts)
    }

    /// `[samples][length]` → `[length][samples]`.
    private func transposed(_ rows: [Float], samples: Int) -> [Float] {
        var columns = [Float](repeating: 0, count: rows.count)
        for sample in 0..<samples {
            for i in 0..<length { columns[i * samples + sample] = rows[sample * length + i] }
        }
        return columns
    }

    private func packed(_ columns: [Float], samples: Int) -> PackedMatrix {
        PackedMatrix(
            table: .fastest, columns: length, inputs: samples, weights: columns,
            bias: [Float](repeating: 0, count: length))
    }

    private func add(
        _ columns: inout [Float], _ matrix: PackedMatrix, samples: Int, to products: inout [Double]
    ) {
        let stride = channelStride(length)
        let result = AlignedBuffer<Float>(count: length * stride)
        let offsets = AlignedBuffer<UInt32>(count: length + 1)
        for i in 0..<length { offsets.pointer[i] = UInt32(i * stride) }
        columns.withUnsafeMutableBufferPointer { columns in
            matrix.multiplyUnsafe(
                UnsafeStridedRows(columns.baseAddress!, stride: samples),
                taps: UnsafeTaps(offsets: UnsafePointer(offsets.pointer + length), count: 1, run: samples),
                into: UnsafeRows(result.pointer, UnsafePointer(offsets.pointer)), rows: length,
                activation: .none)
        }
        for i in 0..<length {
            for j in 0..<length { products[i * length + j] += Double(result.pointer[i * stride + j]) }
        }
    }

    private mutating func addGroupProducts(_ rows: [Float], _ floatRows: [Float], samples: Int) {
        addGroupProducts(rows, rows, samples: samples, to: &products)
        addGroupProducts(floatRows, rows, samples: samples, to: &crossProducts)
        addGroupProducts(floatRows, floatRows, samples: samples, to: &floatProducts)
    }

    private func addGroupProducts(
        _ rows: [Float], _ others: [Float], samples: Int, to products: inout [Double]
    ) {
        products.withUnsafeMutableBufferPointer { products in
            rows.withUnsafeBufferPointer { rows in
                others.withUnsafeBufferPointer { others in
                    for sample in 0..<samples {
                        for group in 0..<groups {
                            let row = rows.baseAddress! + (sample * groups + group) * length
                            let other = others.baseAddress! + (sample * groups + group) * length
                            let target = products.baseAddress! + group * length * length
                            for i in 0..<length where row[i] != 0 {
                                let x = Double(row[i])
                                for j in 0..<length { target[i * length + j] += x * Double(other[j]) }
                            }
                        }
                    }
                }
            }
        }
    }

    mutating func add(_ other: PatchMoments) {
        count += other.count
        for i in sums.indices {
            sums[i] += other.sums[i]
            floatSums[i] += other.floatSums[i]
        }
        for i in products.indices {
            products[i] += other.products[i]
            floatProducts[i] += other.floatProducts[i]
            crossProducts[i] += other.crossProducts[i]
        }
    }

    /// What the quantised layer reads on average, `[length]`.
    func mean(group: Int) -> [Double] { sums[group * length..<(group + 1) * length].map { $0 / Double(count) } }

    func floatMean(group: Int) -> [Double] {
        floatSums[group * length..<(group + 1) * length].map { $0 / Double(count) }
    }

    /// `[length][length]`: the bias makes up for means, so that only what differs from them counts.
    func covariance(group: Int) -> [Double] {
        let mean = mean(group: group)
        var result = [Double](repeating: 0, count: length * length)
        for i in 0..<length {
            for j in 0..<length {
                result[i * length + j] =
                    products[(group * length + i) * length + j] / Double(count) - mean[i] * mean[j]
            }
        }
        return result
    }

    /// How an output in floating point, by `float` weights, goes with the quantised one by `quantized` weights.
    ///
    /// - Returns: the variance of the first and the covariance of the two.
    func comparison(group: Int, float: [Double], quantized: [Double]) -> (variance: Double, covariance: Double) {
        let (mean, floatMean) = (mean(group: group), floatMean(group: group))
        var variance = 0.0
        var covariance = 0.0
        let start = group * length * length
        for i in 0..<length where float[i] != 0 {
            var (own, other) = (0.0, 0.0)
            let row = start + i * length
            for j in 0..<length {
                own += (floatProducts[row + j] / Double(count) - floatMean[i] * floatMean[j]) * float[j]
                other += (crossProducts[row + j] / Double(count) - floatMean[i] * mean[j]) * quantized[j]
            }
            variance += float[i] * own
            covariance += float[i] * other
        }
        return (variance, covariance)
    }
}
