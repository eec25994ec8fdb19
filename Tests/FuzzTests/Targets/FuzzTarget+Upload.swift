import FoundationEssentials
import HTTPTypes
import Parallelism

@testable import Classification
@testable import HTTPServer

extension FuzzTarget {
    private static let limit = 3

    /// A body of images in any form, the media type before its first LF: never more images than allowed; JSON that was
    /// taken holds no more objects than the images need, and gives the same images when written again.
    static let upload = FuzzTarget("upload") { bytes in
        let line = bytes.prefix { $0 != UInt8(ascii: "\n") }
        let body = Array(bytes.dropFirst(line.count + 1))
        let now = Instant(nanoseconds: 1)
        let request = Request(
            method: .post, path: "/", parameters: [:], query: [], fields: [.contentType: Array(line).text],
            authority: nil,
            body: body, origin: RequestOrigin(), received: now, readDone: now, id: "")
        guard let form = try? ImageUpload(request), let images = try? form.images(in: body, limit: limit) else {
            return nil
        }
        if images.isEmpty || images.count > limit { return "\(images.count) images" }
        let contents = images.map { image in image.withBytes { span in (0..<span.count).map { span[$0] } } }
        guard case .json = form else { return nil }
        // No JSON in UTF-8 has one; in UTF-16 nothing that is counted by bytes is counted right.
        if body.contains(0) { return "JSON with NUL" }
        if body.count(where: { $0 == UInt8(ascii: "{") }) > 40 * (limit + 1) { return "too many objects" }
        let entries = contents.map { "{\"b64\":\"\(Data($0).base64EncodedString())\"}" }.joined(separator: ",")
        guard let again = try? ImageUpload.json.images(in: Array("{\"images\":[\(entries)]}".utf8), limit: limit) else {
            return "not readable when written again"
        }
        return again.map(\.storage) == contents ? nil : "other images when written again"
    }

    /// Base64 as images in JSON carry it: what is taken is what a plain decoder finds.
    static let base64 = FuzzTarget("base64", maximumBytes: 96) { bytes in
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        return ImageUpload.bytes(base64: text) == plainBase64(bytes) ? nil : "not what a plain decoder finds"
    }

    /// Source: RFC 4648 §4; nil where it is malformed.
    private static func plainBase64(_ bytes: [UInt8]) -> [UInt8]? {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        guard bytes.count % 4 == 0 else { return nil }
        var decoded: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 4) {
            let group = bytes[start..<start + 4]
            let padding = group.reversed().prefix { $0 == UInt8(ascii: "=") }.count
            guard padding <= 2, padding == 0 || start + 4 == bytes.count else { return nil }
            var bits = 0
            for byte in group.prefix(4 - padding) {
                guard let digit = alphabet.firstIndex(of: byte) else { return nil }
                bits = bits << 6 | digit
            }
            bits <<= 6 * padding
            decoded += [UInt8(bits >> 16), UInt8(bits >> 8 & 255), UInt8(bits & 255)].prefix(3 - padding)
        }
        return decoded
    }
}
