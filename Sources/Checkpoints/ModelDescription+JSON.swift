import EfficientNet
import FoundationEssentials
import Tensors

extension ModelDescription {
    /// Reads a model.json.
    /// - Throws: `file` where it cannot be read, `description` with the key that is wrong.
    public init(path: String) throws(CheckpointError) {
        let file: MappedFile
        do { file = try MappedFile(reading: path) } catch { throw .file(error) }
        guard file.count <= Self.maximumFileSize else {
            throw .description(path: path, key: nil, reason: "has \(file.count) bytes, more than any description")
        }
        try self.init(json: file.withBytes { Array($0) }, path: path)
    }

    /// Reads the bytes of a model.json; `path` is what errors call it.
    /// - Throws: `description` with the key that is wrong.
    public init(json: [UInt8], path: String) throws(CheckpointError) {
        do {
            self = try JSONDecoder().decode(ModelDescription.self, from: Data(json))
        } catch let fault as Fault {
            throw .description(path: path, key: fault.key, reason: fault.reason)
        } catch let error as DecodingError {
            let (key, reason) = Self.explain(error)
            throw .description(path: path, key: key, reason: reason)
        } catch { throw .description(path: path, key: nil, reason: "\(error)") }
    }

    /// The description as the bytes of a model.json.
    public var json: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        guard let data = try? encoder.encode(self) else {
            preconditionFailure("\(self) holds a value that is no number")
        }
        return Array(data) + [UInt8(ascii: "\n")]
    }

    static let maximumFileSize = 1 << 20

    /// A value that JSON allows and a description does not.
    private struct Fault: Error {
        let key: String
        let reason: String
    }

    private static func explain(_ error: DecodingError) -> (key: String?, reason: String) {
        switch error {
        case .keyNotFound(let key, _): (key.stringValue, "is missing")
        case .typeMismatch(let type, let context): (context.codingPath.first?.stringValue, "must be \(noun(type))")
        case .valueNotFound(let type, let context):
            (context.codingPath.first?.stringValue, "is null and must be \(noun(type))")
        case .dataCorrupted(let context):
            (
                context.codingPath.first?.stringValue,
                context.codingPath.isEmpty ? "is not JSON: \(context.debugDescription)" : context.debugDescription
            )
        @unknown default: (nil, "\(error)")
        }
    }

    private static func noun(_ type: Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Int.Type: "a whole number"
        case is Float.Type: "a number"
        case is [Float].Type, is [Any].Type: "a list of numbers"
        default: "a JSON object"
        }
    }
}

extension ModelDescription: Codable {
    private enum CodingKeys: String, CodingKey, CaseIterable {
        case architecture, dialect, padding, resize, crop, filter, mean, precision, weights, labels, licence
        case batchNormEpsilon = "batch_norm_epsilon"
        case inputSize = "input_size"
        case standardDeviation = "std"
        case summary = "description"
    }

    /// Any key, to see those that there should not be.
    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    public init(from decoder: any Decoder) throws {
        let known = Set(CodingKeys.allCases.map(\.stringValue))
        let keys = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        if let unknown = keys.sorted().first(where: { !known.contains($0) }) {
            throw Fault(key: unknown, reason: "is no key of a model description")
        }
        let values = try decoder.container(keyedBy: CodingKeys.self)
        architecture = try values.decode(String.self, forKey: .architecture)
        do { _ = try Architecture(named: architecture) } catch {
            throw Fault(key: CodingKeys.architecture.stringValue, reason: "is wrong: \(error)")
        }
        dialect = try values.contains(.dialect) ? Self.choice(values, .dialect) : nil
        padding = try values.contains(.padding) ? Self.choice(values, .padding) : nil
        batchNormEpsilon = try values.decodeIfPresent(Float.self, forKey: .batchNormEpsilon)
        try Self.require(batchNormEpsilon.map { $0 > 0 && $0 < 1 } ?? true, .batchNormEpsilon, "between 0 and 1")
        inputSize = try values.decode(Int.self, forKey: .inputSize)
        resize = try values.decode(Int.self, forKey: .resize)
        crop = try values.decode(Int.self, forKey: .crop)
        try Self.require((1...Self.maximumResize).contains(resize), .resize, "1 to \(Self.maximumResize)")
        try Self.require((1...resize).contains(inputSize), .inputSize, "1 to 'resize', which is \(resize)")
        try Self.require(crop == inputSize, .crop, "'input_size', which is \(inputSize)")
        filter = try Self.choice(values, .filter)
        mean = try values.decode([Float].self, forKey: .mean)
        standardDeviation = try values.decode([Float].self, forKey: .standardDeviation)
        try Self.require(mean.count == 3 && mean.allSatisfy(\.isFinite), .mean, "three numbers")
        try Self.require(
            standardDeviation.count == 3 && standardDeviation.allSatisfy { $0 > 0 && $0.isFinite },
            .standardDeviation, "three positive numbers")
        precision = try Self.choice(values, .precision)
        weights = try values.decodeIfPresent(String.self, forKey: .weights) ?? Self.defaultWeights
        labels = try values.decodeIfPresent(String.self, forKey: .labels)
        try Self.require(Self.isFileName(weights), .weights, "the name of a file beside it")
        try Self.require(labels.map(Self.isFileName) ?? true, .labels, "the name of a file beside it")
        licence = try values.decodeIfPresent(String.self, forKey: .licence)
        summary = try values.decodeIfPresent(String.self, forKey: .summary)
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(architecture, forKey: .architecture)
        try values.encodeIfPresent(dialect, forKey: .dialect)
        try values.encodeIfPresent(padding, forKey: .padding)
        try values.encodeIfPresent(batchNormEpsilon, forKey: .batchNormEpsilon)
        try values.encode(inputSize, forKey: .inputSize)
        try values.encode(resize, forKey: .resize)
        try values.encode(crop, forKey: .crop)
        try values.encode(filter.rawValue, forKey: .filter)
        try values.encode(mean, forKey: .mean)
        try values.encode(standardDeviation, forKey: .standardDeviation)
        try values.encode(precision.rawValue, forKey: .precision)
        try values.encode(weights, forKey: .weights)
        try values.encodeIfPresent(labels, forKey: .labels)
        try values.encodeIfPresent(licence, forKey: .licence)
        try values.encodeIfPresent(summary, forKey: .summary)
    }

    private static func require(_ holds: Bool, _ key: CodingKeys, _ expected: String) throws {
        guard holds else { throw Fault(key: key.stringValue, reason: "must be \(expected)") }
    }

    private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ values: KeyedDecodingContainer<CodingKeys>, _ key: CodingKeys
    ) throws -> Choice {
        let name = try values.decode(String.self, forKey: key)
        guard let choice = Choice(rawValue: name) else {
            let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw Fault(key: key.stringValue, reason: "is '\(name)' and must be one of \(choices)")
        }
        return choice
    }

    /// Whether the name stays within its directory.
    private static func isFileName(_ name: String) -> Bool {
        !name.isEmpty && !name.hasPrefix(".") && name.utf8.allSatisfy { $0 != UInt8(ascii: "/") && $0 != 0 }
    }
}
