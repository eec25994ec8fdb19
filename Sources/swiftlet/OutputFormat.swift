import ArgumentParser
import FoundationEssentials

/// For people or for machines.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument {
    case table, json

    static let help = ArgumentHelp("A table to read, or JSON for a program.", valueName: "table|json")
}

/// JSON as the command line prints it: keys in snake_case, sorted.
enum JSONText {
    /// Over several lines, with a newline at the end.
    static func pretty(_ value: some Encodable) throws -> String {
        try encode(value, [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    }

    /// One line, with its newline.
    static func line(_ value: some Encodable) throws -> String {
        try encode(value, [.sortedKeys, .withoutEscapingSlashes])
    }

    private static func encode(_ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = formatting
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }
}
