import FoundationEssentials
import Inference
import TestSupport

@testable import Classification

/// Requests and answers of the Open Inference Protocol, made and read with none of the code under test.
enum V2 {
    struct Answer: Decodable {
        struct Output: Decodable {
            struct Parameters: Decodable {
                var binary_data_size: Int
            }

            enum Data: Decodable {
                case numbers([Float])
                case texts([String])

                init(from decoder: any Decoder) throws {
                    let container = try decoder.singleValueContainer()
                    if let numbers = try? container.decode([Float].self) {
                        self = .numbers(numbers)
                    } else {
                        self = .texts(try container.decode([String].self))
                    }
                }
            }

            var name: String
            var datatype: String
            var shape: [Int]
            var data: Data?
            var parameters: Parameters?
        }

        var model_name: String
        var model_version: String
        var id: String?
        var outputs: [Output]
        /// What followed the JSON, an entry an output.
        var binary: [[UInt8]?] = []

        private enum CodingKeys: String, CodingKey {
            case model_name, model_version, id, outputs
        }

        /// The numbers of an output, however they were sent.
        func numbers(_ name: String) -> [Float]? {
            guard let index = outputs.firstIndex(where: { $0.name == name }) else { return nil }
            if case .numbers(let numbers)? = outputs[index].data { return numbers }
            return binary[index].map(V2.floats)
        }

        func texts(_ name: String) -> [String]? {
            guard let index = outputs.firstIndex(where: { $0.name == name }) else { return nil }
            if case .texts(let texts)? = outputs[index].data { return texts }
            guard let bytes = binary[index] else { return nil }
            var texts: [String] = []
            var offset = 0
            while offset < bytes.count {
                let count = (0..<4).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
                texts.append(String(decoding: bytes[offset + 4..<offset + 4 + count], as: UTF8.self))
                offset += 4 + count
            }
            return texts
        }
    }

    struct Failure: Decodable {
        var error: String
    }

    static func floats(_ bytes: [UInt8]) -> [Float] {
        (0..<bytes.count / 4).map { index in
            Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[4 * index + $1]) << (8 * UInt32($1)) })
        }
    }

    static func bytes(_ floats: [Float]) -> [UInt8] {
        floats.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt32($0))) } }
    }

    /// Elements behind their lengths.
    static func bytes(_ elements: [[UInt8]]) -> [UInt8] {
        elements.flatMap { element in
            (0..<4).map { UInt8(truncatingIfNeeded: element.count >> (8 * $0)) } + element
        }
    }

    static let length = "Inference-Header-Content-Length"
}

extension RawResponse {
    /// The answer of an inference.
    func inference() throws -> V2.Answer {
        guard let header = self[V2.length.lowercased()] else { return try decoded() }
        guard let length = Int(header), length <= body.count else { throw RawClientError.malformed(header) }
        var answer = try decodeJSON(V2.Answer.self, Array(body[..<length]))
        var offset = length
        for output in answer.outputs {
            guard let size = output.parameters?.binary_data_size else {
                answer.binary.append(nil)
                continue
            }
            answer.binary.append(Array(body[offset..<offset + size]))
            offset += size
        }
        guard offset == body.count else { throw RawClientError.malformed("\(body.count - offset) bytes too many") }
        return answer
    }

    /// The sentence of an error.
    func v2Error() throws -> String { try decoded(V2.Failure.self).error }
}

extension TestService {
    func infer(
        _ json: String, _ binary: [UInt8]? = nil, path: String = "/v2/models/lite/infer",
        fields: [(name: String, value: String)] = []
    ) throws -> RawResponse {
        let text = Array(json.utf8)
        let header = binary.map { _ in [(name: V2.length, value: String(text.count))] } ?? []
        return try exchange("POST", path, fields: fields + header, body: text + (binary ?? []))
    }

    /// Pictures as BYTES, all standard outputs as binary data.
    func infer(
        pictures: [[UInt8]], outputs: String = "", parameters: String = "\"binary_data_output\":true"
    ) throws -> RawResponse {
        let data = V2.bytes(pictures)
        return try infer(
            #"{"parameters":{\#(parameters)},"inputs":[{"name":"input","datatype":"BYTES","shape":[\#(pictures.count)],"#
                + #""parameters":{"binary_data_size":\#(data.count)}}]\#(outputs)}"#, data)
    }
}
