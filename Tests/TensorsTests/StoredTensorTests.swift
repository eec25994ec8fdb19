import TestSupport
import Testing

@testable import Tensors

struct StoredTensorTests {
    /// Bit patterns as NumPy and ml_dtypes widen them.
    @Test func widensHalfPrecisionExactly() throws {
        let directory = try TemporaryDirectory()
        let half: [UInt16] = [0x0000, 0x8000, 0x3C00, 0xC100, 0x7BFF, 0x0001, 0x7C00, 0xFC00, 0x4248]
        let brain: [UInt16] = [0x0000, 0x8000, 0x3F80, 0xC020, 0x4780, 0x3381, 0x7F80, 0xFF80, 0x4049]
        let bytes: [UInt8] = [0xAA] + (half + brain).flatMap { word in [UInt8(word & 0xFF), UInt8(word >> 8)] }
        let file = try MappedFile(path: directory.write(bytes, to: "f"))
        let (float16, bfloat16) = (
            StoredTensor(.float16, [9], in: file, at: 1), StoredTensor(.bfloat16, [9], in: file, at: 19)
        )
        #expect(
            float16.floats.map(\.bitPattern) == [
                0, 0x8000_0000, 0x3F80_0000, 0xC020_0000, 0x477F_E000, 0x3380_0000, 0x7F80_0000, 0xFF80_0000,
                0x4049_0000,
            ])
        #expect(bfloat16.floats.map(\.bitPattern) == brain.map { UInt32($0) << 16 })
    }

    @Test(arguments: [0, 1, 2, 3, 4]) func readsFloatsAtAnyOffset(offset: Int) throws {
        let directory = try TemporaryDirectory()
        let values: [Float] = [1.5, -2, .pi]
        let bytes = values.flatMap { value in (0..<4).map { UInt8(value.bitPattern >> ($0 * 8) & 0xFF) } }
        let file = try MappedFile(path: directory.write([UInt8](repeating: 0, count: offset) + bytes, to: "f"))
        #expect(StoredTensor(.float32, [3], in: file, at: offset).floats == values)
    }

    @Test func lendsAlignedFloatsWithoutACopy() throws {
        let directory = try TemporaryDirectory()
        let file = try MappedFile(path: directory.write([UInt8](repeating: 0, count: 16), to: "f"))
        let tensor = StoredTensor(.float32, [2], in: file, at: 8)
        let lent = tensor.withFloats { UnsafeRawPointer($0.baseAddress) }
        #expect(lent == tensor.withBytes { $0.baseAddress })
    }
}
