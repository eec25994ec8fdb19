import Testing

@testable import Tensors

struct AlignedBufferTests {
    @Test(arguments: [0, 1, 3, 64, 1001]) func startsAlignedAndZeroed(count: Int) {
        let buffer = AlignedBuffer<Float>(count: count)
        #expect(Int(bitPattern: buffer.pointer) % AlignedBuffer<Float>.alignment == 0)
        #expect(buffer.elements.allSatisfy { $0 == 0 })
        #expect(buffer.count == count)
    }
}
