/// The names of a JSON object's members as they stand in its text, which decoders that make a dictionary of it forget.
public enum JSONMembers {
    /// The names in their order, and where each ends.
    ///
    /// - Throws: `malformedJSON` for what is no object in strict JSON.
    public static func names(in text: [UInt8]) throws(OpenInferenceError) -> [(name: String, offset: Int)] {
        var names: [(name: String, offset: Int)] = []
        var scanner = JSONScanner(text, range: 0..<text.count)
        try scanner.object { name, scanner throws(OpenInferenceError) in
            names.append((name, scanner.offset))
            try scanner.skipValue()
        }
        try scanner.finish()
        return names
    }
}
