import Testing

@testable import Tensors

struct ShapeTests {
    @Test(arguments: [([], 1), ([0], 0), ([3, 0, 5], 0), ([2, 3, 4], 24), ([.max], .max)] as [([Int], Int)])
    func countsElements(dimensions: [Int], count: Int) {
        #expect(Shape(validating: dimensions)?.elementCount == count)
    }

    @Test(arguments: [[-1], [2, -3], [0, -1], [.max, 2], [1 << 32, 1 << 32], [0, .max, 2]])
    func refusesWhatCannotBe(dimensions: [Int]) {
        #expect(Shape(validating: dimensions) == nil)
    }
}
