import HTTP
import TestSupport
import Testing

struct JSONWriterTests {
    @Test func writesWhatAnyReaderReads() throws {
        struct Value: Decodable, Equatable {
            var text: String
            var number: Int
            var fraction: Float
            var list: [[Int]]
            var empty: [Int]
            var nothing: Int?
            var object: [String: String]
        }
        let text = "quote \" backslash \\ / newline \n nul \0 unit separator \u{1F} del \u{7F} é 鳥 🪲 \u{2028}"
        for fraction: Float in [0, -0.1, 1, .leastNormalMagnitude, 3.4e38, 0.333_333_34] {
            var json = JSONWriter(capacity: 0)
            json.object {
                $0.value("text", text)
                $0.value("number", Int.min)
                $0.value("fraction", fraction)
                $0.array("list") {
                    $0.array { _ in }
                    $0.array {
                        $0.value(nil, 1)
                        $0.value(nil, 2)
                    }
                }
                $0.array("empty") { _ in }
                $0.null("nothing")
                $0.object("object") { $0.value("a", "b") }
            }
            #expect(
                try decodeJSON(Value.self, json.bytes)
                    == Value(
                        text: text, number: .min, fraction: fraction, list: [[], [1, 2]], empty: [], nothing: nil,
                        object: ["a": "b"]))
        }
    }

    @Test func takesNamesThatAreNotKnownBefore() throws {
        var json = JSONWriter()
        json.object {
            $0.object(key: "a \"name\"") { $0.value("b", 1) }
            $0.object(key: "c") { _ in }
            $0.json(key: "d\\", #"{"e":2}"#)
            $0.json("f", #"{"g":3}"#)
        }
        #expect(
            try decodeJSON([String: [String: Int]].self, json.bytes)
                == ["a \"name\"": ["b": 1], "c": [:], "d\\": ["e": 2], "f": ["g": 3]])
    }
}
