import TestSupport
import Testing

@testable import Tensors

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct MappedFileTests {
    @Test(arguments: [0, 1, 4096, 10_000]) func mapsEveryByte(count: Int) throws {
        let directory = try TemporaryDirectory()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let file = try MappedFile(path: directory.write(bytes, to: "f"))
        #expect(file.count == count)
        #expect(file.withBytes { Array($0) } == bytes)
    }

    @Test(arguments: [0, 1, 4096, 10_000]) func readsEveryByte(count: Int) throws {
        let directory = try TemporaryDirectory()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let file = try MappedFile(reading: directory.write(bytes, to: "f"))
        #expect(file.count == count)
        #expect(file.withBytes { Array($0) } == bytes)
    }

    /// Of a mapped file this would be the process's end, by SIGBUS.
    @Test func whatWasReadOutlivesTheFile() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write((0..<20_000).map { UInt8(truncatingIfNeeded: $0) }, to: "f")
        let file = try MappedFile(reading: path)
        try directory.write([], to: "f")
        #expect(file.withBytes { $0.enumerated().allSatisfy { $1 == UInt8(truncatingIfNeeded: $0) } })
    }

    @Test func readingRefusesWhatMappingDoes() throws {
        let directory = try TemporaryDirectory()
        #expect(throws: TensorFileError.cannotOpen(path: "/nowhere/at/all", code: 2)) {
            try MappedFile(reading: "/nowhere/at/all")
        }
        #expect(throws: TensorFileError.notARegularFile(path: directory.path)) {
            try MappedFile(reading: directory.path)
        }
    }

    /// Its size is said to be 4096 bytes, but only a few come: as if it had been cut in the meantime.
    @Test(.enabled(if: access("/sys/kernel/fscaps", R_OK) == 0)) func noticesAFileThatEndsEarly() {
        #expect(throws: TensorFileError.changedMeanwhile(path: "/sys/kernel/fscaps")) {
            try MappedFile(reading: "/sys/kernel/fscaps")
        }
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
