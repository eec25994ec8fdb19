import FoundationEssentials
import TestSupport
import Testing

@testable import OpenInference

private func scanner(_ text: String) -> JSONScanner {
    // Bytes before and after must never be looked at.
    let bytes = Array("\"]}".utf8) + Array(text.utf8) + Array("1]}\"".utf8)
    return JSONScanner(bytes, range: 3..<bytes.count - 4)
}

private func elements(
    _ text: String, _ datatype: Datatype, count: Int
) -> Result<[UInt8], OpenInferenceError> {
    Result { () throws(OpenInferenceError) in
        var whole = scanner(text)
        try whole.skipValue()
        try whole.finish()
        var content: [UInt8] = []
        var list = scanner(text)
        try list.elements(of: datatype, count: count, tensor: "t", into: &content)
        return content
    }
}

struct JSONScannerTests {
    @Test(
        arguments: [
            "0", "-0", "10.5e+3", "1E-2", "true", "false", "null", "\"\"", "\"a\\\"b\\\\\"", "[]", "{}", " [ ] ",
            "[1,[2,[3]]]",
            "{\"a\":{\"b\":[{}]},\"c\":1}", "\t\r\n 1 ",
            String(repeating: "[", count: 32) + String(repeating: "]", count: 32),
        ])
    func passesOverAnyValue(text: String) throws {
        var scanner = scanner(text)
        try scanner.skipValue()
        try scanner.finish()
        // What is skipped is what others read.
        _ = try JSONDecoder().decode(Anything.self, from: Data(text.utf8))
    }

    private struct Anything: Decodable {
        init(from decoder: any Decoder) throws {}
    }

    @Test(
        arguments: [
            "", " ", "01", "1.", ".5", "+1", "1e", "1e+", "-", "--1", "tru", "nul", "\"", "\"\\", "\"\u{1}\"", "[",
            "[1", "[1,", "[1,]",
            "[,1]", "[1 2]", "{", "{1:2}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\" 1}", "[}", "{]", "]", "1 2",
            "[1]]", "NaN",
            "Infinity", String(repeating: "[", count: 33) + String(repeating: "]", count: 33),
            String(repeating: "{\"a\":", count: 100_000),
        ])
    func refusesWhatIsNoJSON(text: String) {
        #expect(throws: OpenInferenceError.self) {
            var scanner = scanner(text)
            try scanner.skipValue()
            try scanner.finish()
        }
    }

    @Test(
        arguments: [
            (#""""#, ""), (#""é鳥🪲""#, "é鳥🪲"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
            (#""\u00e9\u9ce5\uD83E\uDEB2""#, "é鳥🪲"), (#""\u0000""#, "\0"),
        ])
    func resolvesEscapes(text: String, expected: String) throws {
        var scanner = scanner(text)
        #expect(try scanner.string() == expected)
        #expect(try JSONDecoder().decode(String.self, from: Data(text.utf8)) == expected)
    }

    @Test(
        arguments: [
            #""\x""#, #""\u12""#, #""\u12g4""#, #""\uD83E""#, #""\uD83Ex""#, #""\uD83E\n""#, #""\uD83E\u0041""#,
            #""\uDEB2""#,
            #""\"#, #""\u００００""#,
        ])
    func refusesBrokenEscapes(text: String) {
        #expect(throws: OpenInferenceError.self) {
            var scanner = scanner(text)
            _ = try scanner.string()
        }
    }

    @Test func refusesStringsThatAreNoUTF8() {
        for bytes: [UInt8] in [[0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22]] {
            #expect(throws: OpenInferenceError.self) {
                var scanner = JSONScanner(bytes, range: 0..<bytes.count)
                _ = try scanner.string()
            }
        }
    }
}

struct JSONElementTests {
    @Test func readsFloatsAsTheStandardLibraryDoes() throws {
        var random = SplitMix64(seed: 17)
        var texts = [
            "0", "-0", "-0.0", "1", "-1", "0.1", "0.333333343267441", "3.4028235e38", "1e-45", "1.4e-45", "7e-46",
            "0.7e-45",
            "1.17549435e-38", "16777217", "16777219", "9007199791611905", "1.00000005960464477539",
            "1.000000059604644775390625",
            "1.00000005960464477539062500000000000000000000000001", "340282346638528859811704183484516925440",
            "0." + String(repeating: "0", count: 44) + "14", "14" + String(repeating: "0", count: 30) + "e-31",
            "1e-1000", "0e99999999999999999999", "123456789012345678901234567890e-20", "3.4028235677973366e38",
        ]
        for _ in 0..<20_000 {
            let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
            guard value.isFinite else { continue }
            // Shortest, as double (which is how Python writes an array's floats), and between two floats.
            texts.append(value.description)
            texts.append(Double(value).description)
            texts.append(((Double(value) + Double(value.nextUp)) / 2).description)
            texts.append(Double(bitPattern: random.next() >> 12 | 0x3FE0_0000_0000_0000).description)
        }
        texts.removeAll { $0.contains("inf") || $0.contains("nan") }
        let expected = try texts.map { text in try #require(Float(text)) }
        let content = try elements("[\(texts.joined(separator: ", "))]", .fp32, count: texts.count).get()
        let values = (0..<texts.count).map { index in
            Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(content[4 * index + $1]) << (8 * UInt32($1)) })
        }
        for (index, text) in texts.enumerated() where expected[index].isFinite {
            #expect(values[index].bitPattern == expected[index].bitPattern, "\(text)")
        }
    }

    @Test(arguments: [
        "[1,2,3,4,5,6]", "[[1,2,3],[4,5,6]]", "[[[1],[2]],[[3],[4]],[[5],[6]]]", " [ 1 ,\n2,[3,4] , 5 ,6 ] ",
    ])
    func flattensLists(text: String) throws {
        #expect(try elements(text, .uint8, count: 6).get() == [1, 2, 3, 4, 5, 6])
        #expect(try elements(text, .fp32, count: 6).get().count == 24)
        for count in [0, 1, 5, 7, 1_000_000] {
            for datatype in [Datatype.uint8, .fp32] {
                #expect(
                    elements(text, datatype, count: count)
                        == .failure(.elementCount(tensor: "t", found: 6, expected: count)))
            }
        }
    }

    @Test(arguments: [
        "1e39", "-3.4028236e38", "1e99999999999", "\"1\"", "null", "true", "{}", String(repeating: "1", count: 1025),
    ])
    func refusesWhatIsNoFloat(text: String) {
        #expect(
            elements("[0, \(text)]", .fp32, count: 2)
                == .failure(.element(tensor: "t", index: 1, expected: "a finite number of single precision")))
    }

    @Test(arguments: ["256", "-1", "1.0", "1e0", "99999999999999999999", "\"1\"", "null", "{}", "-0"])
    func refusesWhatIsNoByte(text: String) {
        #expect(
            elements("[255, \(text)]", .uint8, count: 2)
                == .failure(.element(tensor: "t", index: 1, expected: "a whole number from 0 to 255")))
    }

    @Test func takesStringsAsBytes() throws {
        #expect(
            try elements(#"["ab", "", "\u00e9"]"#, .bytes, count: 3).get()
                == [2, 0, 0, 0, 0x61, 0x62, 0, 0, 0, 0, 2, 0, 0, 0, 0xC3, 0xA9])
        #expect(
            elements("[\"a\", 1]", .bytes, count: 2)
                == .failure(.element(tensor: "t", index: 1, expected: "a string")))
    }
}
