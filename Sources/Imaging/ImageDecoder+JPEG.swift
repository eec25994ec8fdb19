import Parallelism
import Tensors

extension ImageDecoder {
    /// Units: bytes. Decoded rows held at a time, unless one row alone is longer.
    private static var stripBytes: Int { 256 << 10 }
    private static var maxStripRows: Int { 16 }

    mutating func prepareJPEG(
        _ bytes: UnsafeBufferPointer<UInt8>, _ preprocessing: Preprocessing
    ) throws(ImageError) -> PreparedImage {
        let clock = MonotonicClock()
        var durations = PreparedImage.Durations()
        var lap = clock.now()
        func lapNanoseconds() -> Int64 {
            let now = clock.now()
            defer { lap = now }
            return now.nanoseconds(since: lap)
        }

        defer { jpeg.close() }
        let header = try jpeg.open(bytes)
        try limits.check(width: header.width, height: header.height)
        durations.decodeNanoseconds += lapNanoseconds()

        let geometry = JPEGGeometry(header: header, preprocessing: preprocessing)
        resampler.plan(
            columns: geometry.columns, rows: geometry.rows, blendsRowsFirst: geometry.blendsRowsFirst,
            filter: preprocessing.filter)
        durations.resizeNanoseconds += lapNanoseconds()

        let window = try jpeg.start(geometry.window(around: resampler.columns.sourceRange), limits: limits)
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
        try jpeg.skip(rowCount: needed.lowerBound)
        for start in stride(from: needed.lowerBound, to: needed.upperBound, by: stripRows) {
            let end = min(start + stripRows, needed.upperBound)
            try jpeg.read(into: strip.pointer, rowStride: rowStride, rowCount: end - start)
            durations.decodeNanoseconds += lapNanoseconds()
            for row in start..<end {
                resampler.push(
                    strip.pointer + (row - start) * rowStride, at: row, output: output, outputStride: outputStride)
            }
            durations.resizeNanoseconds += lapNanoseconds()
        }
        try jpeg.finish(scratchRow: strip.pointer)
        durations.decodeNanoseconds += lapNanoseconds()

        if isTurned {
            transpose(output, rows: kept.rows, columns: kept.columns, to: origin, stride: preprocessing.cropWidth * 3)
            durations.resizeNanoseconds += lapNanoseconds()
        }
        let (sourceWidth, sourceHeight) = header.orientation.orient(width: header.width, height: header.height)
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
