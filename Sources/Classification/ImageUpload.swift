import FoundationEssentials
import HTTP
import HTTPServer
import HTTPTypes
import Imaging

/// The bytes of one uploaded image: a part of the body, or decoded from it.
struct UploadedImage: Sendable {
    let storage: [UInt8]
    let range: Range<Int>

    init(_ storage: [UInt8], _ range: Range<Int>) {
        self.storage = storage
        self.range = range
    }

    init(_ storage: [UInt8]) { self.init(storage, 0..<storage.count) }

    /// About how long it takes to decode: see `ImageDecoder.cost`.
    var decodeCost: Int { withBytes { ImageDecoder.cost(of: $0) } }

    func withBytes<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(storage.span.extracting(range))
    }
}

/// The three forms in which images come: the bytes of one, `multipart/form-data`, and JSON with base64.
///
/// The form is told by `Content-Type` for multipart alone. Otherwise the bytes decide, since clients declare anything:
/// what begins with a brace is JSON, all else one image.
enum ImageUpload: Sendable {
    case raw
    case multipart(boundary: String)
    case json

    /// - Throws: `emptyBody`; `badBody` for a multipart type without boundary.
    init(_ request: Request) throws(ServiceFailure) {
        if request.body.isEmpty { throw .emptyBody }
        if let declared = request.fields[.contentType], let type = MediaType(declared),
            type.essence == "multipart/form-data"
        {
            guard let boundary = type.parameter("boundary") else {
                throw .badBody(reason: "multipart/form-data without a boundary")
            }
            self = .multipart(boundary: boundary)
            return
        }
        let whitespace: [UInt8] = [0x20, 0x09, 0x0A, 0x0D]
        guard let first = request.body.first(where: { !whitespace.contains($0) }) else { throw .emptyBody }
        self = first == UInt8(ascii: "{") ? .json : .raw
    }

    /// How long it takes to take `body` apart, in the unit of `ImageDecoder.cost`.
    func cost(of body: [UInt8]) -> Int {
        switch self {
        case .raw: 0
        // Boundaries are looked for much faster than base64 is read.
        case .multipart: body.count / 64
        case .json: body.count
        }
    }

    /// The images in `body`, in order.
    /// - Throws: `badBody` where multipart or JSON are malformed or without an image, `tooManyImages`.
    /// - Complexity: linear in the body; a raw image is not copied.
    func images(in body: [UInt8], limit: Int) throws(ServiceFailure) -> [UploadedImage] {
        let images: [UploadedImage]
        switch self {
        case .raw: return [UploadedImage(body)]
        case .multipart(let boundary):
            let parts: [MultipartPart]
            do throws(MultipartError) {
                var parser = try MultipartParser(boundary: boundary)
                parser.maximumPartCount = limit
                parts = try parser.parse(body)
            } catch .tooManyParts {
                throw .tooManyImages(limit: limit)
            } catch {
                throw .badBody(reason: "malformed multipart body: \(error)")
            }
            if let text = parts.first(where: { Self.isTextField($0, in: body) }) {
                throw .badBody(
                    reason: "the form field '\(text.name ?? "")' is text, no image; parameters go into the query")
            }
            images = parts.map { UploadedImage(body, $0.content) }
        case .json:
            try Self.checkStructure(of: body, limit: limit)
            images = try Self.imagesInJSON(body)
        }
        guard !images.isEmpty else { throw .badBody(reason: "no image in the body") }
        guard images.count <= limit else { throw .tooManyImages(limit: limit) }
        return images
    }

    /// Whether a part is what a form's text input sends: no file's name, no type or that of text, and printable bytes,
    /// which no image begins with.
    private static func isTextField(_ part: MultipartPart, in body: [UInt8]) -> Bool {
        guard part.filename == nil else { return false }
        if let declared = part.fields[.contentType], !declared.lowercased().hasPrefix("text/") { return false }
        return body[part.content].prefix(16).allSatisfy { (0x20..<0x7F).contains($0) || $0 == 0x0D || $0 == 0x0A }
    }

    /// Refuses JSON with more parts than `limit` images need, before anything is made of it: a million empty objects
    /// would take a thousand times their bytes.
    ///
    /// UTF-16 and UTF-32 are refused by the NUL that they cannot do without: what is counted here by bytes would not be
    /// what the decoder then reads. Source: RFC 8259, section 8.1.
    private static func checkStructure(of body: [UInt8], limit: Int) throws(ServiceFailure) {
        var objects = 0
        var marks = 0
        var isInString = false
        var isEscaped = false
        for byte in body {
            if byte == 0 { throw .badBody(reason: "JSON must be UTF-8; \(form)") }
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"):
                objects += 1
                marks += 1
            case UInt8(ascii: "["), UInt8(ascii: ","), UInt8(ascii: ":"): marks += 1
            default: break
            }
            if objects > limit + 1 { throw .tooManyImages(limit: limit) }
            if marks > 8 * limit + 64 { throw .badBody(reason: "the body begins like JSON but is not; \(form)") }
        }
    }

    private static let form = "expected {\"images\":[{\"b64\":\"…\"}]}"

    private struct JSONBody: Decodable {
        struct Image: Decodable {
            let b64: String

            init(from decoder: any Decoder) throws {
                b64 = try decoder.onlyMember(String.self, "b64")
            }
        }

        let images: [Image]

        init(from decoder: any Decoder) throws {
            images = try decoder.onlyMember([Image].self, "images")
        }
    }

    private static func imagesInJSON(_ body: [UInt8]) throws(ServiceFailure) -> [UploadedImage] {
        let decoded: JSONBody
        do {
            decoded = try JSONDecoder().decode(JSONBody.self, from: Data(body))
        } catch let error as DecodingError {
            switch error {
            case .keyNotFound(let key, let context):
                throw .badBody(reason: "JSON: \(path(context.codingPath + [key])) is missing; \(form)")
            case .dataCorrupted(let context) where context.underlyingError is UnknownMember:
                throw .badBody(
                    reason: "JSON: \(path(context.codingPath)) is not known; \(form); parameters go into the query")
            case .typeMismatch(_, let context), .valueNotFound(_, let context):
                throw .badBody(reason: "JSON: \(path(context.codingPath)) has another type; \(form)")
            default: throw .badBody(reason: "the body begins like JSON but is not; \(form)")
            }
        } catch {
            throw .badBody(reason: "the body begins like JSON but is not; \(form)")
        }
        var images: [UploadedImage] = []
        for (index, image) in decoded.images.enumerated() {
            guard let bytes = bytes(base64: image.b64) else {
                throw .badBody(reason: "JSON: images[\(index)].b64 is not base64")
            }
            images.append(UploadedImage(bytes))
        }
        return images
    }

    /// Source: RFC 4648, section 4. FoundationEssentials' decoder takes padding of any length, and in the middle.
    static func bytes(base64 text: String) -> [UInt8]? {
        let padding = text.utf8.suffix(2).count { $0 == UInt8(ascii: "=") }
        guard text.utf8.count % 4 == 0, !text.utf8.dropLast(padding).contains(UInt8(ascii: "=")) else { return nil }
        return Data(base64Encoded: text).map { [UInt8]($0) }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.reduce(into: "") { text, key in
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += text.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
    }
}
