import Configuration
import FoundationEssentials
import OpenInference
import Tensors

extension Setting {
    var configKey: AbsoluteConfigKey { AbsoluteConfigKey(["swiftlet", key]) }

    /// The value that `text` of a flag or variable means.
    /// - Throws: `invalidValue`.
    func value(_ text: String, _ origin: SettingOrigin) throws(SettingsError) -> SettingValue {
        switch kind {
        case .text, .choice: return try checked(.text(text), origin)
        case .integer:
            guard let number = Int(text) else { throw invalid("'\(text)'", origin) }
            return try checked(.integer(number), origin)
        case .list:
            if text.isEmpty { return .list([]) }
            let elements = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            return try checked(.list(elements), origin)
        }
    }

    /// The value that `json` in a configuration file means.
    /// - Throws: `invalidValue`.
    fileprivate func value(_ json: JSONValue, _ origin: SettingOrigin) throws(SettingsError) -> SettingValue {
        switch (kind, json) {
        case (.text, .text(let text)), (.choice, .text(let text)): return try checked(.text(text), origin)
        case (.integer, .integer(let number)): return try checked(.integer(number), origin)
        case (.list, .array(let elements)):
            var texts: [String] = []
            for element in elements {
                guard case .text(let text) = element else { throw invalid(json.description, origin) }
                texts.append(text)
            }
            return try checked(.list(texts), origin)
        default: throw invalid(json.description, origin)
        }
    }

    private func checked(_ value: SettingValue, _ origin: SettingOrigin) throws(SettingsError) -> SettingValue {
        switch (kind, value) {
        case (.choice(_, let choices), .text(let text)) where !choices.contains(text):
            throw invalid("'\(text)'", origin)
        case (.integer(_, let range), .integer(let number)) where !range.contains(number):
            throw invalid("\(number)", origin)
        case (.list, .list(let elements)) where elements.contains(""): throw invalid("'\(value)'", origin)
        default: return value
        }
    }

    private func invalid(_ value: String, _ origin: SettingOrigin) -> SettingsError {
        .invalidValue(key: key, value: value, origin: origin, allowed: allowed)
    }
}

extension SettingValue {
    var configValue: ConfigValue {
        switch self {
        case .text(let text): ConfigValue(.string(text), isSecret: false)
        case .integer(let number): ConfigValue(.int(number), isSecret: false)
        case .list(let elements): ConfigValue(.stringArray(elements), isSecret: false)
        }
    }
}

extension SettingValue: Encodable {
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let text): try container.encode(text)
        case .integer(let number): try container.encode(number)
        case .list(let elements): try container.encode(elements)
        }
    }
}

// MARK: - Configuration files

extension Settings {
    /// The settings in a configuration file, each checked, and the line of each.
    ///
    /// - Parameter faults: gets `malformedFile`, `unknownKey` and `invalidValue`, by line.
    /// - Returns: nil where the file cannot be read as a JSON object.
    static func settingsInFile(
        at path: String, relativeTo directory: String?, _ faults: inout SettingsFaults
    ) -> (values: [AbsoluteConfigKey: ConfigValue], lines: [String: Int])? {
        guard
            let (members, object) = faults.noting({ () throws(SettingsError) in
                try contents(at: path, relativeTo: directory)
            })
        else { return nil }
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        var lines: [String: Int] = [:]
        for (key, line) in members {
            let place = "\(path), line \(line)"
            guard lines.updateValue(line, forKey: key) == nil else {
                // The decoder takes either.
                faults.add(.malformedFile(place: place, reason: "'\(key)' is there twice"))
                continue
            }
            guard let setting = Setting.named(key) else {
                faults.add(.unknownKey(place: place, key: key))
                continue
            }
            guard let json = object[key] else { preconditionFailure("'\(key)' was read, and yet is not there") }
            values[setting.configKey] = faults.noting { () throws(SettingsError) in
                try setting.value(json, .file(path: path, line: line)).configValue
            }
        }
        return (values, lines)
    }

    private typealias Member = (name: String, line: Int)

    /// The members of a file's JSON object with their lines, in the order of the file, and their values.
    /// - Throws: `unreadableFile`, `malformedFile`.
    private static func contents(
        at path: String, relativeTo directory: String?
    ) throws(SettingsError) -> (members: [Member], object: [String: JSONValue]) {
        let file: MappedFile
        do { file = try MappedFile(path: resolve(path, in: directory)) } catch {
            throw .unreadableFile(path: path, reason: "\(error)")
        }
        let text = file.withBytes { Array($0) }
        let members = try members(of: text, path)
        do { return (members, try JSONDecoder().decode([String: JSONValue].self, from: Data(text))) } catch {
            throw .malformedFile(place: path, reason: (error as? DecodingError).map(Self.text) ?? "\(error)")
        }
    }

    /// The sentence in a decoder's error.
    private static func text(_ error: DecodingError) -> String {
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
            .dataCorrupted(let context):
            context.debugDescription
        @unknown default: "\(error)"
        }
    }

    /// Strict where the decoder is not: about a comma too many.
    private static func members(of text: [UInt8], _ path: String) throws(SettingsError) -> [Member] {
        func line(at offset: Int) -> Int { 1 + text[..<offset].count { $0 == UInt8(ascii: "\n") } }
        do throws(OpenInferenceError) {
            return try JSONMembers.names(in: text).map { ($0.name, line(at: $0.offset)) }
        } catch {
            guard case .malformedJSON(let offset, let expected) = error else {
                throw .malformedFile(place: path, reason: error.description)
            }
            let column = 1 + text[..<offset].reversed().prefix { $0 != UInt8(ascii: "\n") }.count
            throw .malformedFile(
                place: "\(path), line \(line(at: offset)), column \(column)", reason: "expected \(expected)")
        }
    }
}

/// What may stand in a JSON file, to say what was found where something else was expected.
private indirect enum JSONValue: Decodable, CustomStringConvertible {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    var description: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .text(let value): "'\(value)'"
        case .array(let values): "[" + values.map(\.description).joined(separator: ", ") + "]"
        case .object: "an object"
        }
    }
}
