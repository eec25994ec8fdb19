import FoundationEssentials
import TestSupport

/// What `/v1/classify` answers, read with none of the code under test.
struct ClassifyAnswer: Decodable {
    struct Entry: Decodable {
        var width: Int?
        var height: Int?
        var predictions: [Prediction]?
        var error: Problem?
    }

    struct Prediction: Decodable, Equatable {
        var index: Int
        var label: String
        var probability: Float
    }

    var model: String
    var version: String
    var results: [Entry]
}

/// A body of `application/problem+json`, or a part of it.
struct Problem: Decodable, Equatable {
    var type: String?
    var title: String
    var status: Int
    var detail: String
    var request_id: String?
}

extension RawResponse {
    func decoded<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value { try decodeJSON(type, body) }

    /// `Server-Timing`: each stage and its milliseconds.
    var stages: [(name: String, milliseconds: Double)] {
        (self["server-timing"] ?? "").split(separator: ",").map { stage in
            let parts = stage.drop { $0 == " " }.split(separator: ";")
            let duration = parts.dropFirst().first { $0.hasPrefix("dur=") }
            return (String(parts[0]), duration.flatMap { Double($0.dropFirst("dur=".count)) } ?? .nan)
        }
    }
}

/// The upload forms.
enum Upload {
    /// A fixture of Tests/Fixtures/jpeg.
    static func jpeg(_ name: String) throws -> [UInt8] { try Fixtures.bytes("jpeg/\(name).jpg") }

    static let multipartType = (name: "Content-Type", value: "multipart/form-data; boundary=\"a frontier\"")

    static func multipart(_ images: [[UInt8]]) -> [UInt8] {
        var body = Array("a preamble that nobody reads".utf8)
        for (index, image) in images.enumerated() {
            body += Array(
                "\r\n--a frontier\r\nContent-Disposition: form-data; name=\"f\(index)\"; filename=\"x.jpg\"\r\n".utf8)
            body += Array("Content-Type: image/jpeg\r\n\r\n".utf8) + image
        }
        return body + Array("\r\n--a frontier--\r\n".utf8)
    }

    static func json(_ images: [[UInt8]]) -> [UInt8] {
        let entries = images.map { "{\"b64\": \"\(Data($0).base64EncodedString())\"}" }
        return Array("  {\"images\": [\(entries.joined(separator: ", "))]}".utf8)
    }
}

/// A page of `/metrics`.
struct MetricsPage {
    /// By name with labels, as written.
    private(set) var values: [String: Double] = [:]
    private(set) var types: [String: String] = [:]

    init(_ text: String) {
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                types[String(words[2])] = String(words[3])
            } else if !line.hasPrefix("#"), let space = line.lastIndex(of: " ") {
                values[String(line[..<space])] = Double(line[line.index(after: space)...])
            }
        }
    }

    /// The value of a series, named as it is written; nil where it is not on the page.
    subscript(series: String) -> Double? { values[series] }

    /// The series of one model's family.
    subscript(family: String, model model: String) -> Double? { values["\(family){model=\"\(model)\",version=\"1\"}"] }

    func requests(_ route: String, _ code: Int) -> Double? {
        values["swiftlet_requests_total{route=\"\(route)\",code=\"\(code)\"}"]
    }

    func rejections(_ reason: String) -> Double? { values["swiftlet_rejected_total{reason=\"\(reason)\"}"] }

    func stage(_ name: String, _ suffix: String) -> Double? {
        values["swiftlet_stage_duration_seconds_\(suffix){stage=\"\(name)\"}"]
    }
}
