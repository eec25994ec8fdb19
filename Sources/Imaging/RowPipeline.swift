import Parallelism
import Tensors

/// The way from rows, as a codec gives them, to a prepared picture; keeps its memory between pictures.
struct RowPipeline: ~Copyable, @unchecked Sendable {  // unique owner of its scratch
    private var resampler = StreamingResampler()
    private var strip = AlignedBuffer<UInt8>(count: 0)
    private var unturned = AlignedBuffer<UInt8>(count: 0)

    /// Units: bytes. Decoded rows held at a time, unless one row alone is longer.
    private static var stripBytes: Int { 256 << 10 }
    private static var maxStripRows: Int { 16 }

    mutating func prepare<Reader: PictureReader & ~Copyable>(
        _ bytes: UnsafeBufferPointer<UInt8>, with reader: borrowing Reader, _ preprocessing: Preprocessing,
        limits: ImageLimits
    ) throws(ImageError) -> PreparedImage {
        let clock = MonotonicClock()
        var durations = PreparedImage.Durations()
        var lap = clock.now()
        func lapNanoseconds() -> Int64 {
            let now = clock.now()
            defer { lap = now }
            return now.nanoseconds(since: lap)
        }

        defer { reader.close() }
        let header = try reader.open(bytes)
        try limits.check(width: header.width, height: header.height)
        durations.decodeNanoseconds += lapNanoseconds()

        let geometry = PictureGeometry(
            header: header, preprocessing: preprocessing, reduction: Reader.reduction)
        resampler.plan(
            columns: geometry.columns, rows: geometry.rows, blendsRowsFirst: geometry.blendsRowsFirst,
            filter: preprocessing.filter)
        durations.resizeNanoseconds += lapNanoseconds()

        let window = try reader.start(
            geometry.window(around: resampler.columns.sourceRange, margin: Reader.columnMargin), limits: limits)
        resampler.begin(window: window.columns)

        let rowStride = window.columns.count * 4
        let stripRows = min(max(Self.stripBytes / rowStride, 1), Self.maxStripRows)
        strip.grow(to: stripRows * rowStride + resampler.rowSlack)

        // Turned pictures are made lying, then turned; all others are made in place.
        let pixels = AlignedBuffer<UInt8>(count: preprocessing.cropHeight * preprocessing.cropWidth * 3)
        let kept = (rows: geometry.rows.kept.count, columns: geometry.columns.kept.count)
        let origin = pixels.pointer + (geometry.paddingTop * preprocessing.cropWidth + geometry.paddingLeft) * 3
        let isTurned = header.orientation.swapsAxes
        if isTurned { unturned.grow(to: kept.rows * kept.columns * 3) }
        let output = isTurned ? unturned.pointer : origin
        let outputStride = (isTurned ? kept.columns : preprocessing.cropWidth) * 3

        let needed = resampler.rows.sourceRange
        try reader.skip(rowCount: needed.lowerBound)
        for start in stride(from: needed.lowerBound, to: needed.upperBound, by: stripRows) {
            let end = min(start + stripRows, needed.upperBound)
            try reader.read(into: strip.pointer, rowStride: rowStride, rowCount: end - start)
            durations.decodeNanoseconds += lapNanoseconds()
            for row in start..<end {
                resampler.push(
                    strip.pointer + (row - start) * rowStride, at: row, output: output, outputStride: outputStride)
            }
            durations.resizeNanoseconds += lapNanoseconds()
        }
        try reader.finish(scratchRow: strip.pointer)
        durations.decodeNanoseconds += lapNanoseconds()

        if isTurned {
            transpose(output, rows: kept.rows, columns: kept.columns, to: origin, stride: preprocessing.cropWidth * 3)
            durations.resizeNanoseconds += lapNanoseconds()
        }
        let (sourceWidth, sourceHeight) = header.orientedSize
        return PreparedImage(
            width: preprocessing.cropWidth, height: preprocessing.cropHeight, sourceWidth: sourceWidth,
            sourceHeight: sourceHeight, durations: durations, pixels: pixels)
    }
}

/// Shapes: `source` `[rows, columns, 3] u8`, `destination` `[columns, rows, 3] u8` with gaps to `stride` bytes.
private func transpose(
    _ source: UnsafePointer<UInt8>, rows: Int, columns: Int, to destination: UnsafeMutablePointer<UInt8>, stride: Int
) {
    for column in 0..<columns {
        var from = source + column * 3
        var to = destination + column * stride
        for _ in 0..<rows {
            to[0] = from[0]
            to[1] = from[1]
            to[2] = from[2]
            from += columns * 3
            to += 3
        }
    }
}
