import Tensors
import TestSupport
import Testing

@testable import Checkpoints

struct SafetensorsFaultTests {
    /// A header, the bytes behind it, and what is wrong.
    static let faults: [(header: String, data: Int, fault: SafetensorsFault)] = [
        ("", 0, .malformedHeader(offset: 0, expected: "'{'")),
        (" {}", 0, .malformedHeader(offset: 0, expected: "'{'")),
        ("[]", 0, .malformedHeader(offset: 0, expected: "'{'")),
        ("{", 0, .malformedHeader(offset: 1, expected: "'\"'")),
        ("{}x", 0, .malformedHeader(offset: 2, expected: "the header's end")),
        ("{},", 0, .malformedHeader(offset: 2, expected: "the header's end")),
        (#"{"a":1}"#, 0, .malformedHeader(offset: 5, expected: "'{'")),
        (#"{"a":{},}"#, 0, .missingKey(tensor: "a", key: "dtype")),
        (#"{"a"}"#, 0, .malformedHeader(offset: 4, expected: "':'")),
        (#"{"a"#, 0, .malformedHeader(offset: 3, expected: "the end of a string")),
        ("{\"a\u{1}\"", 0, .malformedHeader(offset: 3, expected: "the end of a string")),
        (#"{"\x"#, 0, .malformedHeader(offset: 3, expected: "an escape of JSON")),
        (#"{"\ud800x"#, 0, .malformedHeader(offset: 4, expected: "a surrogate pair")),
        (#"{"\u12"#, 0, .malformedHeader(offset: 6, expected: "four hexadecimal digits")),
        ("{" + tensor("a", "F32", "1", "0,4"), 4, .malformedHeader(offset: 53, expected: "'}'")),
        (members(tensor("a", "F32", "1", "0,4") + ","), 4, .malformedHeader(offset: 54, expected: "'\"'")),
        (members(tensor("a", "F32", "1", "0,4"), tensor("a", "F32", "1", "4,8")), 8, .duplicateTensor("a")),
        (members(tensor("a", "F32", "1", "0,4"), tensor(#"\u0061"#, "F32", "1", "4,8")), 8, .duplicateTensor("a")),
        (#"{"__metadata__":{},"__metadata__":{}}"#, 0, .duplicateTensor("__metadata__")),
        (#"{"__metadata__":{"a":"","a":""}}"#, 0, .duplicateMetadata(key: "a")),
        (#"{"__metadata__":{"a":1}}"#, 0, .malformedHeader(offset: 21, expected: "'\"'")),
        (#"{"a":{"dtype":"F32","dtype":"F32"}}"#, 0, .duplicateKey(tensor: "a", key: "dtype")),
        (#"{"a":{"dtyp":"F32"}}"#, 0, .unknownKey(tensor: "a", key: "dtyp")),
        (#"{"a":{"dtype":"F32","data_offsets":[0,4]}}"#, 4, .missingKey(tensor: "a", key: "shape")),
        (#"{"a":{"dtype":"F32","shape":[1]}}"#, 4, .missingKey(tensor: "a", key: "data_offsets")),
        (members(tensor("a", "F8_E4M3", "1", "0,1")), 1, .unsupportedElementType(tensor: "a", type: "F8_E4M3")),
        (members(tensor("a", "F64", "1", "0,8")), 8, .unsupportedElementType(tensor: "a", type: "F64")),
        (members(tensor("a", "f32", "1", "0,4")), 4, .unsupportedElementType(tensor: "a", type: "f32")),
        (members(tensor("a", "F32", "-1", "0,4")), 4, .negativeNumber(tensor: "a", key: "shape")),
        (members(tensor("a", "F32", "1", "-4,0")), 4, .negativeNumber(tensor: "a", key: "data_offsets")),
        (members(tensor("a", "F32", "9223372036854775808", "0,4")), 4, .overflow(tensor: "a", key: "shape")),
        (members(tensor("a", "F32", "4294967296,4294967296", "0,0")), 0, .overflow(tensor: "a", key: "shape")),
        (members(tensor("a", "F32", "4611686018427387904", "0,0")), 0, .overflow(tensor: "a", key: "shape")),
        (members(tensor("a", "F32", "1", "0,18446744073709551620")), 4, .overflow(tensor: "a", key: "data_offsets")),
        (members(tensor("a", "F32", "1.5", "0,4")), 4, .malformedHeader(offset: 30, expected: "']'")),
        (members(tensor("a", "F32", "01", "0,4")), 4, .malformedHeader(offset: 29, expected: "a whole number")),
        (members(tensor("a", "F32", "true", "0,4")), 4, .malformedHeader(offset: 29, expected: "a whole number")),
        (members(tensor("a", "F32", "1", "0,4,8")), 8, .offsetsNotAPair(tensor: "a", count: 3)),
        (members(tensor("a", "F32", "1", "")), 4, .offsetsNotAPair(tensor: "a", count: 0)),
        (members(tensor("a", "F32", "1", "4,0")), 4, .offsetsReversed(tensor: "a", begin: 4, end: 0)),
        (members(tensor("a", "F32", "2", "0,8")), 7, .offsetsOutOfRange(tensor: "a", end: 8, available: 7)),
        (members(tensor("a", "F32", "2", "0,4")), 4, .sizeMismatch(tensor: "a", found: 4, expected: 8)),
        (
            members(tensor("a", "F32", "2", "0,8"), tensor("b", "F32", "2", "4,12")), 12,
            .overlap(tensor: "b", with: "a")
        ),
        (
            members(tensor("a", "F32", "1", "0,4"), tensor("b", "F32", "1", "0,4")), 4, .overlap(tensor: "b", with: "a")
        ),
        (members(tensor("a", "F32", "1", "4,8")), 8, .hole(before: "a", byteCount: 4)),
        (
            members(tensor("b", "F32", "1", "8,12"), tensor("a", "F32", "1", "0,4")), 12,
            .hole(before: "b", byteCount: 4)
        ),
        (members(tensor("a", "F32", "1", "0,4")), 5, .trailingBytes(1)),
        ("{}", 3, .trailingBytes(3)),
    ]

    @Test(arguments: faults.indices) func isNamed(index: Int) throws {
        let (header, data, fault) = Self.faults[index]
        #expect(throws: fault, "\(header)") { try read(Array(header.utf8), dataCount: data) }
    }

    @Test func textThatIsNotUTF8IsRefused() {
        #expect(throws: SafetensorsFault.malformedHeader(offset: 2, expected: "UTF-8")) {
            try read(Array("{\"".utf8) + [0xFF] + Array("\":{}}".utf8), dataCount: 0)
        }
    }

    @Test func aHeaderLongerThanTheFileOrTheLimitIsRefused() throws {
        let directory = try TemporaryDirectory()
        func fault(_ bytes: [UInt8]) throws -> SafetensorsFault? {
            let file = try MappedFile(path: directory.write(bytes, to: "f"))
            do throws(SafetensorsFault) { _ = try Safetensors(file: file) } catch { return error }
            return nil
        }
        #expect(try fault([]) == .tooShort(0))
        #expect(try fault([2, 0, 0, 0, 0, 0, 0]) == .tooShort(7))
        #expect(try fault([2, 0, 0, 0, 0, 0, 0, 0, 0x7B]) == .headerTruncated(declared: 2, available: 1))
        #expect(try fault([0, 0xE1, 0xF5, 5, 0, 0, 0, 0]) == .headerTruncated(declared: 100_000_000, available: 0))
        #expect(try fault([1, 0xE1, 0xF5, 5, 0, 0, 0, 0]) == .headerTooLong(found: 100_000_001, limit: 100_000_000))
        #expect(
            try fault([UInt8](repeating: 255, count: 8)) == .headerTooLong(found: .max, limit: 100_000_000))
    }

    @Test func whiteSpaceAndEmptyTensorsAreFine() throws {
        let header = "{ \"a\" :\n{\t\"shape\": [ 1 , 1 ], \"data_offsets\":[0, 4],\r\"dtype\":\"F32\"}, "
        let file = try read(Array((header + Self.tensor("e", "F16", "0,9", "4,4") + "}   ").utf8), dataCount: 4)
        #expect(file.tensors["a"]?.shape == [1, 1])
        #expect(file.tensors["e"]?.floats == [])
    }

    @Test func escapedNamesAreUnescaped() throws {
        let name = #"\ud83d\ude00\u00E9 \"\\\/\b\f\n\r\t"#
        let file = try read(Array(Self.members(Self.tensor(name, "F32", "1", "0,4")).utf8), dataCount: 4)
        #expect(Array(file.tensors.keys) == ["\u{1F600}é \"\\/\u{8}\u{C}\n\r\t"])
    }

    private func read(_ header: [UInt8], dataCount: Int) throws -> Safetensors {
        let directory = try TemporaryDirectory()
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> ($0 * 8)) }
        let bytes = length + header + [UInt8](repeating: 0, count: dataCount)
        return try Safetensors(file: MappedFile(path: directory.write(bytes, to: "f")))
    }

    private static func tensor(_ name: String, _ type: String, _ shape: String, _ offsets: String) -> String {
        "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":[\(shape)],\"data_offsets\":[\(offsets)]}"
    }

    private static func members(_ members: String...) -> String { "{\(members.joined(separator: ","))}" }
}
