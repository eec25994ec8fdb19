import Testing

@testable import Imaging

struct OrientationTests {
    private func read(_ bytes: [UInt8]) -> Orientation { bytes.withUnsafeBufferPointer { Orientation(exif: $0) } }

    private let littleEndian: [UInt8] = [
        0x49, 0x49, 42, 0, 8, 0, 0, 0, 2, 0,
        0x0F, 0x01, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0,
        0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0,
    ]
    private let bigEndian: [UInt8] = [
        0x4D, 0x4D, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 8, 0, 0,
    ]

    @Test func readsEitherByteOrder() {
        #expect(read(littleEndian) == .turnedLeft)
        #expect(read(bigEndian) == .turnedRight)
    }

    @Test(arguments: [0, 9, 255] as [UInt8]) func takesValuesOutsideOneToEightForUpright(value: UInt8) {
        var bytes = bigEndian
        bytes[19] = value
        #expect(read(bytes) == .upright)
    }

    @Test func takesBrokenDirectoriesForUpright() {
        for count in 0..<20 { #expect(read(Array(bigEndian[..<count])) == .upright) }
        var bytes = bigEndian
        bytes.replaceSubrange(4..<8, with: [0xFF, 0xFF, 0xFF, 0xFF])
        #expect(read(bytes) == .upright)
        bytes = bigEndian
        bytes[3] = 43
        #expect(read(bytes) == .upright)
    }
}
