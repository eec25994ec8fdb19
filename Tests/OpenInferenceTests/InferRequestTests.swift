import TestSupport
import Testing

@testable import OpenInference

private func read(
    _ json: String, _ binary: [UInt8] = [], hasHeader: Bool = true, hold: (Int) -> Bool = { _ in true }
) throws(OpenInferenceError) -> InferRequest {
    let text = Array(json.utf8)
    return try InferRequest(
        body: text + binary, headerLength: hasHeader ? text.count : nil, rawInputName: "input", hold: hold)
}

/// `{"inputs": […]}` of one input with these members.
private func one(_ members: String) -> String { #"{"inputs":[{"name":"x",\#(members)}]}"# }

struct InferRequestTests {
    @Test func readsTheWholeOfARequest() throws {
        let request = try read(
            #"""
            {"id": "a\"b", "unknown": [{"deep": null}], "parameters": {"priority": 1, "timeout": 2500, "note": "x", "f": 1.5,
              "binary_data_output": true, "flag": false},
             "inputs": [
               {"name": "a", "shape": [2, 2], "datatype": "FP32", "parameters": {"binary_data_size": 16}},
               {"name": "b", "data": [[1, 2], [3, 4]], "shape": [2, 2], "datatype": "UINT8", "more": 1},
               {"name": "c", "shape": [2, 1], "datatype": "BYTES", "parameters": {"binary_data_size": 11, "x": "y"}}],
             "outputs": [{"name": "p", "parameters": {"classification": 3, "binary_data": false}}, {"name": "q"},
               {"parameters": {"binary_data": true}, "name": "r"}]}
            """#, [UInt8](0..<16) + [1, 0, 0, 0, 7, 2, 0, 0, 0, 8, 9])
        #expect(request.id == "a\"b" && request.priority == 1 && request.timeoutMicroseconds == 2500)
        #expect(request.prefersBinary)
        #expect(request.inputs.map(\.name) == ["a", "b", "c"] && request.inputs.map(\.elementCount) == [4, 4, 2])
        #expect(request.inputs.map(\.datatype) == [.fp32, .uint8, .bytes])
        #expect(Array(request.inputs[0].storage[request.inputs[0].range]) == [UInt8](0..<16))
        #expect(Array(request.inputs[1].storage[request.inputs[1].range]) == [1, 2, 3, 4])
        #expect(try request.inputs[2].byteElements().map { Array(request.inputs[2].storage[$0]) } == [[7], [8, 9]])
        #expect(
            request.outputs == [
                RequestedOutput(name: "p", isBinary: false, classCount: 3), RequestedOutput(name: "q"),
                RequestedOutput(name: "r", isBinary: true),
            ])
    }

    @Test func takesAllOfABodyWithoutHeaderForJSON() throws {
        let request = try read(one(#""shape":[2],"datatype":"FP32","data":[1,-0.5]"#), hasHeader: false)
        #expect(request.inputs[0].storage == [0, 0, 0x80, 0x3F, 0, 0, 0, 0xBF])
        #expect(
            request.id == nil && request.outputs == nil && !request.prefersBinary && request.timeoutMicroseconds == nil)
    }

    @Test func takesARawBodyForTheOnlyElement() throws {
        let request = try InferRequest(body: [9, 8, 7], headerLength: 0, rawInputName: "input")
        #expect(request.prefersBinary && request.inputs[0].name == "input" && request.inputs[0].shape == [1])
        #expect(try request.inputs[0].byteElements() == [0..<3])
    }

    @Test(arguments: [
        ("7", 7), ("7.0", 7), ("7e0", 7), ("0.7e1", 7), ("-0", 0), ("-0.0", 0), ("4294967295.0", 4_294_967_295),
    ])
    func takesAWholeNumberAsItIsWritten(text: String, value: Int) throws {
        let request = try read(#"{"inputs":[],"parameters":{"priority":\#(text)}}"#)
        #expect(request.priority == value)
    }

    @Test(arguments: ["7.5", "1e-1", "4294967296.0", "1e10", "1e999", "-1.0", "7.00000000000000000000000000", "\"7\""])
    func takesNoOtherNumberForAWholeOne(text: String) {
        #expect(
            throws: OpenInferenceError.member(
                path: "parameters.priority", expected: "a whole number from 0 to \(UInt32.max)")
        ) { try read(#"{"inputs":[],"parameters":{"priority":\#(text)}}"#) }
    }

    @Test func countsTheCharactersOfNames() throws {
        let id = String(repeating: "鳥", count: InferRequest.nameLimit)
        #expect(try read("{\"inputs\":[],\"id\":\"\(id)\"}").id == id)
    }

    @Test func theOnlyInputNeedNotTellItsSize() throws {
        let request = try read(one(#""shape":[1],"datatype":"BYTES""#), [2, 0, 0, 0, 5, 6])
        #expect(try request.inputs[0].byteElements().map { Array(request.inputs[0].storage[$0]) } == [[5, 6]])
    }

    @Test func aTimeoutOfZeroIsNone() throws {
        let request = try read(#"{"parameters":{"timeout":0,"priority":0},"inputs":[]}"#)
        #expect(request.timeoutMicroseconds == nil && request.inputs.isEmpty)
    }

    static let refusals: [(String, [UInt8], OpenInferenceError)] = [
        (" ", [], .malformedJSON(offset: 1, expected: "'{'")),
        ("[]", [], .malformedJSON(offset: 0, expected: "'{'")),
        ("{}", [], .missingMember(path: "inputs")),
        (#"{"inputs":[]} x"#, [], .malformedJSON(offset: 14, expected: "the end")),
        (#"{"inputs":[],"inputs":[]}"#, [], .repeatedMember(path: "inputs")),
        (#"{"inputs":{}}"#, [], .member(path: "inputs", expected: "a list")),
        (#"{"inputs":[1]}"#, [], .member(path: "inputs[0]", expected: "an object")),
        (#"{"inputs":[{}]}"#, [], .missingMember(path: "inputs[0].name")),
        (#"{"inputs":[{"name":1}]}"#, [], .member(path: "inputs[0].name", expected: "a string")),
        (one(#""shape":[1]"#), [], .missingMember(path: "inputs[0].datatype")),
        (one(#""datatype":"FP32""#), [], .missingMember(path: "inputs[0].shape")),
        (one(#""datatype":"FP16","shape":[1],"data":[1]"#), [], .datatype(tensor: "x", found: "FP16")),
        (one(#""name":"y","datatype":"FP32""#), [], .repeatedMember(path: "inputs[0].name")),
        (one(#""datatype":"FP32","shape":[1]"#), [], .content(tensor: "x", hasBoth: false)),
        (
            one(#""datatype":"FP32","shape":[1],"data":[1],"parameters":{"binary_data_size":4}"#), [0, 0, 0, 0],
            .content(tensor: "x", hasBoth: true)
        ),
        (one(#""datatype":"FP32","shape":[1],"data":1"#), [], .member(path: "inputs[0].data", expected: "a list")),
        (one(#""datatype":"FP32","shape":[0],"data":[]"#), [], .shape(tensor: "x", found: [0], reason: .notPositive)),
        (
            one(#""datatype":"FP32","shape":[-1,3],"data":[]"#), [],
            .shape(tensor: "x", found: [-1, 3], reason: .notPositive)
        ),
        (
            one(#""datatype":"UINT8","shape":[4294967296,4294967296],"data":[]"#), [],
            .shape(tensor: "x", found: [1 << 32, 1 << 32], reason: .overflow)
        ),
        (
            one(#""datatype":"FP32","shape":[4611686018427387904],"parameters":{"binary_data_size":4}"#), [0, 0, 0, 0],
            .shape(tensor: "x", found: [1 << 62], reason: .overflow)
        ),
        (
            one(#""datatype":"FP32","shape":[9223372036854775807],"data":[1]"#), [],
            .elementCount(tensor: "x", found: 1, expected: .max)
        ),
        (
            one(#""datatype":"FP32","shape":[9223372036854775808],"data":[1]"#), [],
            .member(path: "inputs[0].shape[0]", expected: "a whole number")
        ),
        (
            one(#""datatype":"FP32","shape":[1.5],"data":[1]"#), [],
            .member(path: "inputs[0].shape[0]", expected: "a whole number")
        ),
        (
            one(#""datatype":"FP32","shape":[1,1,1,1,1,1,1,1,1],"data":[1]"#), [],
            .tooMany(path: "inputs[0].shape", limit: 8)
        ),
        (
            one(#""datatype":"FP32","shape":[1],"parameters":{"binary_data_size":-1}"#), [],
            .member(path: "inputs[0].parameters.binary_data_size", expected: "a whole number of 0 or more")
        ),
        (
            one(#""datatype":"FP32","shape":[2],"parameters":{"binary_data_size":4}"#), [0, 0, 0, 0],
            .byteCount(tensor: "x", found: 4, expected: 8)
        ),
        (
            one(#""datatype":"FP32","shape":[2],"parameters":{"binary_data_size":8}"#), [0, 0, 0, 0],
            .binaryByteCount(found: 4, expected: 8)
        ),
        (
            one(#""datatype":"UINT8","shape":[1],"parameters":{"binary_data_size":1}"#), [0, 0],
            .binaryByteCount(found: 2, expected: 1)
        ),
        (
            one(#""datatype":"UINT8","shape":[1],"parameters":{"binary_data_size":9223372036854775807}"#), [0],
            .binaryByteCount(found: 1, expected: .max)
        ),
        (one(#""datatype":"UINT8","shape":[1],"data":[1]"#), [0], .binaryByteCount(found: 1, expected: 0)),
        (
            one(#""shared":1,"parameters":{"shared_memory_region":"r"}"#), [],
            .member(
                path: "inputs[0].parameters.shared_memory_region", expected: "absent: shared memory is not served")
        ),
        (
            #"{"inputs":[{"name":"x","datatype":"UINT8","shape":[1],"data":[1]},{"name":"x"}]}"#, [],
            .repeatedName(path: "inputs", name: "x")
        ),
        (
            #"{"inputs":[],"outputs":[{"name":"p"},{"name":"p"}]}"#, [],
            .repeatedName(path: "outputs", name: "p")
        ),
        (#"{"inputs":[],"outputs":[{}]}"#, [], .missingMember(path: "outputs[0].name")),
        (
            #"{"inputs":[],"outputs":[{"name":"p","parameters":{"classification":0}}]}"#, [],
            .member(
                path: "outputs[0].parameters.classification", expected: "a whole number from 1 to \(Int32.max)")
        ),
        (
            #"{"inputs":[],"outputs":[{"name":"p","parameters":{"binary_data":1}}]}"#, [],
            .member(path: "outputs[0].parameters.binary_data", expected: "true or false")
        ),
        (
            #"{"inputs":[],"parameters":{"priority":-1}}"#, [],
            .member(path: "parameters.priority", expected: "a whole number from 0 to \(UInt32.max)")
        ),
        (
            #"{"inputs":[],"parameters":{"timeout":1.5e0}}"#, [],
            .member(path: "parameters.timeout", expected: "a whole number from 0 to \(InferRequest.longestTimeout)")
        ),
        (
            #"{"inputs":[],"parameters":{"any":[]}}"#, [],
            .member(path: "parameters.any", expected: "a string, a number or a boolean")
        ),
        (
            "{\"parameters\":{\"\(String(repeating: "x", count: 1025))\":1}}", [],
            .member(path: "parameters", expected: "an object with names of at most 1024 characters")
        ),
        (
            "{\"id\":\"\(String(repeating: "x", count: 1025))\"}", [],
            .member(path: "id", expected: "a string of at most 1024 characters")
        ),
        (#"{"inputs":[],"parameters":1}"#, [], .member(path: "parameters", expected: "an object")),
        (#"{"inputs":[],"id":1}"#, [], .member(path: "id", expected: "a string")),
        (
            "{\"inputs\":[\((0..<17).map { #"{"name":"\#($0)"}"# }.joined(separator: ","))]}", [],
            .tooMany(path: "inputs", limit: 16)
        ),
    ]

    @Test(arguments: refusals.indices) func saysWhatIsWrong(index: Int) {
        let (json, binary, expected) = Self.refusals[index]
        #expect(throws: expected) { try read(json, binary) }
        #expect(!expected.description.isEmpty)
    }

    @Test(
        arguments: [
            ([1, 0, 0], OpenInferenceError.truncatedElement(tensor: "x", index: 0)),
            ([1, 0, 0, 0], .truncatedElement(tensor: "x", index: 0)),
            ([1, 0, 0, 0, 1, 255, 255, 255, 255, 1], .truncatedElement(tensor: "x", index: 1)),
            ([1, 0, 0, 0, 1], .elementCount(tensor: "x", found: 1, expected: 2)),
            ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .elementCount(tensor: "x", found: 3, expected: 2)),
        ] as [([UInt8], OpenInferenceError)])
    func refusesBrokenElements(bytes: [UInt8], expected: OpenInferenceError) throws {
        let request = try read(
            one(#""shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":\#(bytes.count)}"#), bytes)
        #expect(throws: expected) { try request.inputs[0].byteElements() }
    }

    @Test(arguments: ["", "-1", "+1", " 1", "11", "1.0", "99999999999999999999", "0x1", "१"])
    func refusesHeaderLengthsThatAreNone(text: String) {
        #expect(throws: OpenInferenceError.headerLength(found: text, bodyBytes: 10)) {
            try InferRequest.headerLength(text, bodyBytes: 10)
        }
    }

    @Test(arguments: [("0", 0), ("7", 7), ("10", 10), ("007", 7)]) func readsHeaderLengths(text: String, value: Int)
        throws
    {
        #expect(try InferRequest.headerLength(text, bodyBytes: 10) == value)
    }

    @Test func asksBeforeItTakesMemory() {
        let json = one(#""datatype":"FP32","shape":[3],"data":[1,2,3]"#)
        var asked: [Int] = []
        #expect(throws: OpenInferenceError.noMemory(bytes: 12)) {
            try read(json) {
                asked.append($0)
                return false
            }
        }
        #expect(asked == [12])
        // However many elements a shape promises, only those that can be there are made room for.
        asked = []
        #expect(throws: OpenInferenceError.elementCount(tensor: "x", found: 3, expected: 3_000_000_000)) {
            try read(one(#""datatype":"FP32","shape":[3000000000],"data":[1,2,3]"#)) {
                asked.append($0)
                return true
            }
        }
        #expect(asked == [12])
    }

    /// Whatever is cut off or changed, there is an answer or an error.
    @Test func survivesAnyDamage() {
        let whole = one(
            #""shape":[2,2],"datatype":"FP32","data":[[1.5e-3,2],[-3,4]],"parameters":{"n":"\u00e9","t":true}"#)
        let bytes = Array(whole.utf8)
        var random = SplitMix64(seed: 5)
        var accepted = 0
        for round in 0..<20_000 {
            var body = bytes
            if round < bytes.count {
                body.removeSubrange(round...)
            } else {
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    let place = Int.random(in: 0..<body.count, using: &random)
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: body[place] = UInt8.random(in: 0...255, using: &random)
                    case 1: body.remove(at: place)
                    default: body.insert(body[Int.random(in: 0..<body.count, using: &random)], at: place)
                    }
                }
            }
            let length = Int.random(in: 0...body.count, using: &random)
            for header in [nil, length] {
                if (try? InferRequest(body: body, headerLength: header, rawInputName: "input")) != nil { accepted += 1 }
            }
        }
        // Neither nothing nor everything.
        #expect((1000..<30_000).contains(accepted), "\(accepted)")
    }
}
