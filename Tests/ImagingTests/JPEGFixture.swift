import Imaging
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A JPEG of `Fixtures/jpeg` and how its expected pixels were made.
struct JPEGFixture: CustomTestStringConvertible, Sendable {
    var name: String
    var preprocessing: Preprocessing

    init(_ name: String, resize: Int = 40, crop: Int = 32, filter: ResamplingFilter = .bicubic) {
        self.name = name
        preprocessing = Preprocessing(resize: resize, crop: crop, filter: filter)
    }

    var testDescription: String { name }

    /// The file.
    var bytes: [UInt8] { Self.read("\(name).jpg") }

    /// Pillow's pixels.
    var expected: [UInt8] { Self.read("\(name).bin") }

    static let all: [JPEGFixture] =
        [
            "420", "422", "440", "444", "rgb", "grayscale", "progressive", "progressive-grayscale", "restart",
            "arithmetic",
            "arithmetic-progressive", "cmyk", "ycck", "one-pixel",
        ].map { JPEGFixture($0) } + (1...8).map { JPEGFixture("orientation-\($0)") } + [
            JPEGFixture("tall", resize: 30), JPEGFixture("tall-turned", resize: 30),
            JPEGFixture("enlarged", resize: 90),
            JPEGFixture("bilinear", filter: .bilinear), JPEGFixture("padded", resize: 21),
            JPEGFixture("reduced-2", resize: 30, crop: 28),
            JPEGFixture("reduced-4", resize: 30, crop: 28), JPEGFixture("reduced-8", resize: 30, crop: 28),
        ]

    /// One of every way to code a picture.
    static let codings = [
        "420", "444", "grayscale", "progressive", "restart", "arithmetic", "arithmetic-progressive", "cmyk",
    ]
    .map { JPEGFixture($0) }

    private static func read(_ file: String) -> [UInt8] {
        let path = #filePath.split(separator: "/").dropLast(2).reduce("") { $0 + "/" + $1 } + "/Fixtures/jpeg/" + file
        guard let stream = fopen(path, "rb") else { fatalError("no fixture \(path)") }
        defer { fclose(stream) }
        var contents: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&chunk, 1, chunk.count, stream), count > 0 { contents += chunk[..<count] }
        return contents
    }
}

/// The pixels that a decoder of its own makes of `bytes`.
func pixels(of bytes: [UInt8], _ preprocessing: Preprocessing, limits: ImageLimits = ImageLimits()) throws -> [UInt8] {
    var decoder = ImageDecoder(limits: limits)
    return try decoder.prepare(bytes.span, preprocessing).withUnsafePixels { Array($0) }
}

/// What is wrong with `bytes`, or nil where they are fine.
func error(of bytes: [UInt8], _ preprocessing: Preprocessing, limits: ImageLimits = ImageLimits()) -> ImageError? {
    var decoder = ImageDecoder(limits: limits)
    do {
        _ = try decoder.prepare(bytes.span, preprocessing)
        return nil
    } catch {
        return error
    }
}

extension ImageError {
    var isDamage: Bool { if case .damaged = self { true } else { false } }
}

/// The segments of a JPEG's header.
struct JPEGSegments {
    /// The marker's second byte and where the segment lies, marker included; the last one is the first scan's header.
    var segments: [(marker: UInt8, range: Range<Int>)] = []

    init(_ bytes: [UInt8]) {
        var start = 2
        while true {
            let end = start + 2 + Int(bytes[start + 2]) << 8 + Int(bytes[start + 3])
            segments.append((bytes[start + 1], start..<end))
            if bytes[start + 1] == 0xDA { return }
            start = end
        }
    }

    /// Where the first scan's data begins.
    var scanStart: Int { segments.last!.range.upperBound }

    func first(_ markers: ClosedRange<UInt8>) -> Range<Int> { segments.first { markers.contains($0.marker) }!.range }
}
