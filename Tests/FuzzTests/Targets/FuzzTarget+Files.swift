import FoundationEssentials
import Tensors

@testable import Checkpoints
@testable import Classification

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension FuzzTarget {
    /// A safetensors file: what is taken has tensors that fill it without a gap, each of the bytes that its shape needs,
    /// and a header that any reader of JSON reads.
    static let safetensors = FuzzTarget("safetensors") { bytes in
        withFile(bytes) { path in
            guard let file = try? Safetensors(path: path) else { return nil }
            let headerBytes = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
            var sum = 0
            for tensor in file.tensors.values {
                guard tensor.byteCount == tensor.shape.elementCount * tensor.elementType.size else {
                    return "a bad size"
                }
                // Every byte is touched: one that is not there ends the process.
                sum += tensor.byteCount + tensor.withBytes { $0.reduce(0) { $0 + Int($1) } } &* 0
            }
            if sum != bytes.count - 8 - headerBytes { return "tensors that do not fill the file" }
            let header = Data(bytes[8..<8 + headerBytes])
            guard let object = try? JSONDecoder().decode([String: AnyEntry].self, from: header) else {
                return "a header that is no JSON"
            }
            let names = Set(object.keys).subtracting(["__metadata__"])
            return names == Set(file.tensors.keys) ? nil : "other tensors than the header has"
        }
    }

    /// Any value: only the keys are looked at.
    private struct AnyEntry: Decodable {
        init(from decoder: any Decoder) throws {}
    }

    /// A model.json: what is taken is the same again when written.
    static let model = FuzzTarget("model", maximumBytes: 800) { bytes in
        guard let description = try? ModelDescription(json: bytes, path: "model.json") else { return nil }
        guard let again = try? ModelDescription(json: description.json, path: "model.json") else {
            return "not readable when written again"
        }
        if description.weights.contains("/") || description.labels?.contains("/") == true { return "a file elsewhere" }
        return again == description ? nil : "another when written again"
    }

    /// A config.json: every value is one that its setting allows.
    static let config = FuzzTarget("config") { bytes in
        withFile(bytes) { path in
            var faults = SettingsFaults()
            let contents = Settings.settingsInFile(at: path, relativeTo: nil, &faults)
            do throws(SettingsError) { try faults.check() } catch {
                return error.faults.contains { "\($0)".isEmpty } ? "an error of no use" : nil
            }
            guard let (values, lines) = contents else { return "nothing is wrong, and nothing is read" }
            return values.count == lines.count ? nil : "settings that there are not"
        }
    }

    /// Calls `body` with the path of a file of these bytes, which lies in memory.
    private static func withFile(_ bytes: [UInt8], _ body: (String) -> String?) -> String? {
        let name = "/swiftlet-fuzz-\(UInt64.random(in: 0 ... .max))"
        let descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0o600)
        precondition(descriptor >= 0, "shm_open: \(errno)")
        shm_unlink(name)
        defer { close(descriptor) }
        let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        precondition(written == bytes.count, "write: \(errno)")
        return body("/proc/self/fd/\(descriptor)")
    }
}
