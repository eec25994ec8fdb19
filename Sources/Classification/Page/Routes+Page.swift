import FoundationEssentials
import HTTPServer
import HTTPTypes

extension Routes {
    /// Adds the page. It holds nothing that its visitors could not ask for by themselves, hence it is open.
    static func addPage(to router: inout Router) {
        let page = WebPage(html: PackageResources.page_html)
        router.add(.get, Self.page, access: .open) { request, responder in
            responder.respond(page.response(ContentCoding.preferred(by: request.fields)).unlessKnown(to: request))
        }
    }
}

/// A page whose styles and scripts stand in itself, and which may do nothing but ask this server.
struct WebPage: Sendable {
    private let responses: [ContentCoding?: Response]

    init(html: [UInt8]) {
        var plain = Response(contentType: "text/html; charset=utf-8", body: html)
        plain.tagBody()
        plain.fields[HTTPField.Name("Content-Security-Policy")!] = Self.policy(of: html)
        plain.fields[.xContentTypeOptions] = "nosniff"
        plain.fields[HTTPField.Name("Referrer-Policy")!] = "no-referrer"
        plain.fields[HTTPField.Name("Cross-Origin-Opener-Policy")!] = "same-origin"
        plain.fields[HTTPField.Name("Cross-Origin-Resource-Policy")!] = "same-origin"
        responses = Dictionary(
            uniqueKeysWithValues: ([nil] + ContentCoding.allCases).map { coding in
                var response = plain
                response.encodeBody(coding)
                return (coding, response)
            })
    }

    func response(_ coding: ContentCoding?) -> Response { responses[coding]! }

    /// Source: Content Security Policy Level 3. Pictures are the visitor's files and what the answers bring.
    static func policy(of html: [UInt8]) -> String {
        let scripts = hashes(of: "script", in: html)
        let styles = hashes(of: "style", in: html)
        return [
            "default-src 'none'", "script-src \(scripts)", "style-src \(styles)", "img-src blob: data:",
            "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
            "require-trusted-types-for 'script'", "trusted-types 'none'",
        ].joined(separator: "; ")
    }

    /// The hash of each element of that name, which must have no attributes.
    private static func hashes(of name: String, in html: [UInt8]) -> String {
        let text = String(decoding: html, as: UTF8.self)
        let parts = text.split(separator: "<\(name)>", omittingEmptySubsequences: false).dropFirst()
        let hashes = parts.map { part in
            let content = part.prefix(upTo: part.firstRange(of: "</\(name)>")?.lowerBound ?? part.endIndex)
            return "'sha256-\(Data(sha256(content.utf8)).base64EncodedString())'"
        }
        return hashes.isEmpty ? "'none'" : hashes.joined(separator: " ")
    }
}
