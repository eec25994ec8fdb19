import TestSupport
import Testing

@testable import Tensors

struct NpyArrayTests {
    @Test(arguments: ["v1", "v2"]) func readsWhatNumPyWrote(name: String) throws {
        let array = try NpyArray(path: Fixtures.path("npy/\(name).npy"))
        #expect(array == NpyArray([-0.25, -0.125, 0, 0.125, 0.25, 0.375], shape: [1, 2, 3]))
    }

    @Test func writesTheBytesThatNumPyWrites() throws {
        let directory = try TemporaryDirectory()
        for name in ["v1", "vector"] {
            let path = "\(directory.path)/\(name)"
            try NpyArray(path: Fixtures.path("npy/\(name).npy")).write(to: path)
            #expect(try MappedFile(path: path).withBytes { Array($0) } == Fixtures.bytes("npy/\(name).npy"))
        }
    }

    @Test(arguments: [[], [0], [2, 0, 3], [1], [2, 3]] as [[Int]]) func readsBackWhatItWrote(dimensions: [Int]) throws {
        let directory = try TemporaryDirectory()
        let shape = Shape(dimensions)
        let array = NpyArray((0..<shape.elementCount).map(Float.init), shape: shape)
        try array.write(to: "\(directory.path)/a.npy")
        #expect(try NpyArray(path: "\(directory.path)/a.npy") == array)
    }

    @Test func refusesOtherElementTypes() {
        let path = Fixtures.path("npy/float64.npy")
        #expect(throws: TensorFileError.npy(path: path, .unsupportedElementType("<f8"))) { try NpyArray(path: path) }
    }

    @Test func refusesFortranOrder() {
        let path = Fixtures.path("npy/fortran.npy")
        #expect(throws: TensorFileError.npy(path: path, .fortranOrder)) { try NpyArray(path: path) }
    }

    @Test func refusesEveryTruncation() throws {
        let whole = try Fixtures.bytes("npy/v1.npy")
        for count in 0..<whole.count {
            #expect(throws: NpyFault.self) { try parse(Array(whole.prefix(count))) }
        }
        #expect(throws: NpyFault.wrongSize(found: 25, expected: 24)) { try parse(whole + [0]) }
    }

    @Test(
        arguments: [
            ("", .malformedHeader(offset: 0, expected: "'{'")),
            ("{}", .malformedHeader(offset: 2, expected: "'descr', 'fortran_order' and 'shape'")),
            (
                "{'descr': '<f4', 'descr': '<f4'}",
                .malformedHeader(offset: 17, expected: "'descr', 'fortran_order' or 'shape', each once")
            ),
            ("{'descr': '<f4", .malformedHeader(offset: 10, expected: "a string")),
            ("{'fortran_order': 0}", .malformedHeader(offset: 18, expected: "True or False")),
            ("{'shape': (-1,)}", .malformedHeader(offset: 11, expected: "a dimension")),
            ("{'shape': (99999999999999999999,)}", .malformedHeader(offset: 11, expected: "a dimension")),
            ("{'shape': (1 2)}", .malformedHeader(offset: 13, expected: "')'")),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': ()} x",
                .malformedHeader(offset: 54, expected: "the header's end")
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
                .impossibleShape([4_294_967_296, 4_294_967_296])
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,)}",
                .impossibleShape([4_611_686_018_427_387_904])
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}",
                .wrongSize(found: 0, expected: 4_000_000_000_000)
            ),
        ] as [(String, NpyFault)])
    func saysWhatIsWrongWithAHeader(header: String, fault: NpyFault) {
        #expect(throws: fault) {
            try parse(NpyArray.magic + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8))
        }
    }

    @Test func refusesOtherVersions() {
        #expect(throws: NpyFault.unsupportedVersion(major: 3, minor: 0)) {
            try parse(NpyArray.magic + [3, 0, 0, 0, 0, 0])
        }
    }

    private func parse(_ bytes: [UInt8]) throws -> NpyArray { try bytes.withUnsafeBytes { try NpyArray(bytes: $0) } }
}
