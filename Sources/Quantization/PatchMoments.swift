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
        if groups == 1 { addProducts(rows, samples: samples) } else { addGroupProducts(rows, samples: samples) }
    }

    /// rowsᵀ · rows by the matrix kernel.
    private mutating func addProducts(_ rows: [Float], samples: Int) {
        var columns = [Float](repeating: 0, count: rows.count)
        for sample in 0..<samples {
            for i in 0..<length { columns[i * samples + sample] = rows[sample * length + i] }
        }
        let matrix = PackedMatrix(
            table: .fastest, columns: length, inputs: samples, weights: columns,
            bias: [Float](repeating: 0, count: length))
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

    private mutating func addGroupProducts(_ rows: [Float], samples: Int) {
        products.withUnsafeMutableBufferPointer { products in
            rows.withUnsafeBufferPointer { rows in
                for sample in 0..<samples {
                    for group in 0..<groups {
                        let row = rows.baseAddress! + (sample * groups + group) * length
                        let target = products.baseAddress! + group * length * length
                        for i in 0..<length where row[i] != 0 {
                            let x = Double(row[i])
                            for j in 0..<length { target[i * length + j] += x * Double(row[j]) }
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
        for i in products.indices { products[i] += other.products[i] }
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
}
