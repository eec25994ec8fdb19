import TestSupport

/// The stored inputs of a target: a line each in Tests/Fixtures/fuzz/NAME.txt, with `\r`, `\n`, `\t`, `\\` and `\xHH` for what
/// does not print. Lines that begin with `#` say what the next ones are.
enum Seeds {
    struct Malformed: Error {
        var line: String
    }

    static func read(_ name: String) throws -> [[UInt8]] {
        let file = try Fixtures.bytes("fuzz/\(name).txt")
        return try file.split(separator: UInt8(ascii: "\n")).filter { $0.first != UInt8(ascii: "#") }.map(unescape)
    }

    private static func unescape(_ line: ArraySlice<UInt8>) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = line
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "r"): bytes.append(0x0D)
            case UInt8(ascii: "n"): bytes.append(0x0A)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "x"):
                guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
                else {
                    throw Malformed(line: String(decoding: line, as: UTF8.self))
                }
                rest = rest.dropFirst(2)
                bytes.append(value)
            default: throw Malformed(line: String(decoding: line, as: UTF8.self))
            }
        }
        return bytes
    }
}
