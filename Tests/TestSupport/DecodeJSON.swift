import FoundationEssentials

/// Reads `json` with a reader that is not under test.
public func decodeJSON<Value: Decodable>(_ type: Value.Type, _ json: [UInt8]) throws -> Value {
    try JSONDecoder().decode(type, from: Data(json))
}
