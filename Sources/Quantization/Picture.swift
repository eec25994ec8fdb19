import Kernels

/// A tensor of real values or of bytes less their zero point: `[height][width][stride]`, of which `channels` count.
struct Picture: Sendable {
    var height: Int
    var width: Int
    var channels: Int
    /// Units: floats.
    var stride: Int
    var values: [Float]

    init(height: Int, width: Int, channels: Int, stride: Int? = nil) {
        self.height = height
        self.width = width
        self.channels = channels
        self.stride = stride ?? channelStride(channels)
        values = [Float](repeating: 0, count: height * width * self.stride)
    }

    var pixels: Int { height * width }

    /// `[height][width][3]` bytes, each channel shifted and scaled.
    init(pixels: [UInt8], height: Int, width: Int, shift: [Float], scale: [Float]) {
        self.init(height: height, width: width, channels: 3)
        for pixel in 0..<height * width {
            for channel in 0..<3 {
                values[pixel * stride + channel] =
                    (Float(pixels[pixel * 3 + channel]) + shift[channel]) * scale[channel]
            }
        }
    }

    /// The mean over all pixels, as a picture of one.
    func mean() -> Picture {
        var mean = Picture(height: 1, width: 1, channels: channels)
        var sums = [Double](repeating: 0, count: channels)
        for pixel in 0..<pixels {
            for channel in 0..<channels { sums[channel] += Double(values[pixel * stride + channel]) }
        }
        for channel in 0..<channels { mean.values[channel] = Float(sums[channel] / Double(pixels)) }
        return mean
    }

    /// Adds `other`, of the same shape.
    mutating func add(_ other: Picture) {
        values.withUnsafeMutableBufferPointer { values in
            other.values.withUnsafeBufferPointer { other in
                for i in values.indices { values[i] += other[i] }
            }
        }
    }

    /// Multiplies each channel by its gate.
    mutating func scale(by gates: [Float]) {
        values.withUnsafeMutableBufferPointer { values in
            for pixel in 0..<height * width {
                for channel in gates.indices { values[pixel * stride + channel] *= gates[channel] }
            }
        }
    }
}
