/// A member that would be ignored: whoever sends one expects something of it.
struct UnknownMember: Error {}

/// The name of a member that is found out while it is read.
struct MemberName: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

extension Decoder {
    /// The value of the only member that an object may have.
    ///
    /// - Throws: `DecodingError`; `dataCorrupted` by `UnknownMember` where it has another.
    func onlyMember<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
        let object = try container(keyedBy: MemberName.self)
        let key = MemberName(stringValue: name)
        // Where the right one is missing, that is what there is to say.
        if object.contains(key),
            let other = object.allKeys.map(\.stringValue).filter({ $0 != name }).min()
        {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: object.codingPath + [MemberName(stringValue: String(other.prefix(64)))],
                    debugDescription: "unknown member", underlyingError: UnknownMember()))
        }
        return try object.decode(type, forKey: key)
    }
}
