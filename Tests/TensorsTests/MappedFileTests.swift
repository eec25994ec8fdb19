import TestSupport
import Testing

@testable import Tensors

struct MappedFileTests {
    @Test(arguments: [0, 1, 4096, 10_000]) func mapsEveryByte(count: Int) throws {
        let directory = try TemporaryDirectory()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let file = try MappedFile(path: directory.write(bytes, to: "f"))
        #expect(file.count == count)
        #expect(file.withBytes { Array($0) } == bytes)
    }

    @Test func namesAMissingFile() {
        #expect(throws: TensorFileError.cannotOpen(path: "/nowhere/at/all", code: 2)) {
            try MappedFile(path: "/nowhere/at/all")
        }
    }

    @Test func refusesADirectory() throws {
        let directory = try TemporaryDirectory()
        #expect(throws: TensorFileError.notARegularFile(path: directory.path)) {
            try MappedFile(path: directory.path)
        }
    }

    @Test func refusesADevice() {
        #expect(throws: TensorFileError.notARegularFile(path: "/dev/null")) { try MappedFile(path: "/dev/null") }
    }
}

struct AtomicFileTests {
    @Test func replacesAFileOnlyWhenFinished() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write([1, 2, 3], to: "f")
        let old = try MappedFile(path: path)
        let file = try AtomicFile(path: path)
        try file.write([9, 9] as [UInt8])
        #expect(try MappedFile(path: path).withBytes { Array($0) } == [1, 2, 3])
        try file.finish()
        #expect(try MappedFile(path: path).withBytes { Array($0) } == [9, 9])
        #expect(old.withBytes { Array($0) } == [1, 2, 3])
        #expect(try directory.contents() == ["f"])
    }

    @Test func leavesNothingBehindUnfinished() throws {
        let directory = try TemporaryDirectory()
        do {
            let file = try AtomicFile(path: "\(directory.path)/f")
            try file.write([1] as [UInt8])
        }
        #expect(try directory.contents().isEmpty)
    }

    @Test func writesThroughToADevice() throws {
        let file = try AtomicFile(path: "/dev/null")
        try file.write([1] as [UInt8])
        try file.finish()
        #expect(throws: TensorFileError.notARegularFile(path: "/dev/null")) { try MappedFile(path: "/dev/null") }
    }

    @Test func namesADirectoryThatIsNotThere() {
        #expect(throws: TensorFileError.cannotWrite(path: "/nowhere/f", code: 2)) {
            _ = try AtomicFile(path: "/nowhere/f")
        }
    }
}
