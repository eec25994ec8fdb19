import TestSupport
import Testing

@testable import OpenInference

struct InferResponseTests {
    private struct Answer: Decodable {
        struct Output: Decodable {
            struct Parameters: Decodable {
                var binary_data_size: Int
            }

            var name: String
            var datatype: String
            var shape: [Int]
            var data: [Float]?
            var parameters: Parameters?
        }

        var model_name: String
        var model_version: String
        var id: String?
        var outputs: [Output]
    }

    private func response(_ binary: [Bool]) -> InferResponse {
        InferResponse(
            modelName: "m\"", modelVersion: "3", id: "an id",
            outputs: [
                OutputTensor(
                    name: "a", shape: [2, 3], values: .floats([[1, -0.5, 0.1], [.leastNonzeroMagnitude, 3.4e38, 0]]),
                    isBinary: binary[0]),
                OutputTensor(name: "b", shape: [1, 1], values: .floats([[2]]), isBinary: binary[1]),
            ])
    }

    @Test func writesAllAsJSON() throws {
        let (body, headerLength) = response([false, false]).encoded()
        #expect(headerLength == nil)
        let answer = try decodeJSON(Answer.self, body)
        #expect(answer.model_name == "m\"" && answer.model_version == "3" && answer.id == "an id")
        #expect(answer.outputs.map(\.name) == ["a", "b"] && answer.outputs.map(\.datatype) == ["FP32", "FP32"])
        #expect(answer.outputs.map(\.shape) == [[2, 3], [1, 1]])
        // The shortest that reads back as the same float.
        #expect(answer.outputs[0].data == [1, -0.5, 0.1, .leastNonzeroMagnitude, 3.4e38, 0])
        #expect(answer.outputs[1].data == [2] && answer.outputs[0].parameters == nil)
        #expect(String(decoding: body, as: UTF8.self).contains(",0.1,1e-45,"))
    }

    @Test func putsBinaryTensorsBehindTheJSONInOrder() throws {
        let one: [UInt8] = [
            0, 0, 0x80, 0x3F, 0, 0, 0, 0xBF, 0xCD, 0xCC, 0xCC, 0x3D, 1, 0, 0, 0, 0x9E, 0xC9, 0x7F, 0x7F, 0, 0, 0, 0,
        ]
        let other: [UInt8] = [0, 0, 0, 0x40]
        for (binary, expected) in [([true, true], one + other), ([true, false], one), ([false, true], other)] {
            let (body, headerLength) = response(binary).encoded()
            let length = try #require(headerLength)
            #expect(Array(body[length...]) == expected)
            let answer = try decodeJSON(Answer.self, Array(body[..<length]))
            #expect(answer.outputs.map { $0.data == nil } == binary)
            #expect(
                answer.outputs.map { $0.parameters?.binary_data_size } == [binary[0] ? 24 : nil, binary[1] ? 4 : nil])
        }
    }

    @Test func writesStringsBothWays() throws {
        func encoded(_ isBinary: Bool) -> ([UInt8], Int?) {
            InferResponse(
                modelName: "m", modelVersion: "1", id: nil,
                outputs: [
                    OutputTensor(name: "c", shape: [1, 2], values: .strings(["0.5:1:é", "\""]), isBinary: isBinary)
                ]
            ).encoded()
        }
        let (text, none) = encoded(false)
        #expect(none == nil)
        #expect(
            String(decoding: text, as: UTF8.self)
                == #"{"model_name":"m","model_version":"1","outputs":[{"name":"c","datatype":"BYTES","shape":[1,2],"#
                + #""data":["0.5:1:é","\""]}]}"#)
        let (body, headerLength) = encoded(true)
        let length = try #require(headerLength)
        #expect(Array(body[length...]) == [8, 0, 0, 0] + Array("0.5:1:é".utf8) + [1, 0, 0, 0, 0x22])
        #expect(String(decoding: body[..<length], as: UTF8.self).contains(#""parameters":{"binary_data_size":17}"#))
    }
}
