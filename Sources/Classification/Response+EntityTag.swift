import COpenSSL
import HTTP
import HTTPServer
import HTTPTypes

extension Response {
    /// Has caches ask each time whether the body, which is not encoded yet, is still the same.
    mutating func tagBody() {
        let word = sha256(body).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        // Of every coding: hence a weak one.
        fields[.eTag] = "W/\"\(String(word, radix: 16))\""
        fields[.cacheControl] = "no-cache"
    }

    /// 304 in its place where the request names its tag.
    func unlessKnown(to request: Request) -> Response {
        guard let tag = fields[.eTag], let known = request.fields[.ifNoneMatch], Self.tag(tag, isNamedBy: known) else {
            return self
        }
        var response = self
        response.status = .notModified
        return response
    }

    /// Whether `If-None-Match` names the tag. Source: RFC 9110 §13.1.2, by the weak comparison of §8.8.3.2.
    static func tag(_ tag: String, isNamedBy field: String) -> Bool {
        let opaque = tag.dropFirst(2)
        return field.listElements.contains { $0 == "*" || $0 == opaque || $0 == tag }
    }
}

func sha256(_ bytes: some Collection<UInt8>) -> [UInt8] {
    let bytes = Array(bytes)
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var count: UInt32 = 0
    let status = EVP_Digest(bytes, bytes.count, &digest, &count, EVP_sha256(), nil)
    precondition(status == 1, "SHA-256 is not available")
    return Array(digest.prefix(Int(count)))
}
