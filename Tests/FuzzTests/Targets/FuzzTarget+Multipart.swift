import HTTP

extension FuzzTarget {
    /// A multipart body with the boundary `b`: the parts lie behind one another in the body, none holds its boundary, and
    /// written again they are the same.
    static let multipart = FuzzTarget("multipart") { bytes in
        guard var parser = try? MultipartParser(boundary: "b") else { return "refuses a boundary" }
        parser.maximumPartCount = 8
        parser.maximumHeaderBytes = 100
        let parts: [MultipartPart]
        do { parts = try parser.parse(bytes) } catch { return "\(error)".isEmpty ? "an error of no use" : nil }
        if parts.count > 8 { return "too many parts" }
        var end = 0
        var written = Array("--b".utf8)
        for part in parts {
            guard part.content.lowerBound > end, part.content.upperBound <= bytes.count else {
                return "parts that overlap"
            }
            end = part.content.upperBound
            let content = bytes[part.content]
            if holdsBoundary(content) { return "a part that holds its boundary" }
            _ = (part.name, part.filename)
            let fields = part.fields.map { "\($0.name.rawName):\($0.value)\r\n" }.joined()
            written += Array("\r\n\(fields)\r\n".utf8) + content + Array("\r\n--b".utf8)
        }
        guard let again = try? parser.parse(written + Array("--".utf8)) else {
            // Values that were no UTF-8 have become longer.
            return bytes.contains { $0 >= 0x80 } ? nil : "not readable when written again"
        }
        let contents = again.map { Array((written + [])[$0.content]) }
        if contents != parts.map({ Array(bytes[$0.content]) }) { return "other parts when written again" }
        return again.map(\.fields) == parts.map(\.fields) ? nil : "other fields when written again"
    }

    /// Whether a line `--b` or `--b--` stands in it, whatever blanks follow the former.
    private static func holdsBoundary(_ content: ArraySlice<UInt8>) -> Bool {
        let delimiter = Array("\r\n--b".utf8)
        for start in content.indices where content[start...].starts(with: delimiter) {
            let rest = content[(start + delimiter.count)...]
            if rest.starts(with: Array("--".utf8)) { return true }
            if rest.drop(while: { $0 == 0x20 || $0 == 0x09 }).starts(with: Array("\r\n".utf8)) { return true }
        }
        return false
    }
}
