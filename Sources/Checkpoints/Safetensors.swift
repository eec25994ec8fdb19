import Tensors

/// A file of named tensors in the safetensors format, mapped and checked.
///
/// Layout: u64 length of the header, the header (JSON), the tensors' bytes, all little-endian. Every byte behind the
/// header belongs to exactly one tensor.
/// Source: github.com/huggingface/safetensors, "Format".
public struct Safetensors: Sendable {
    /// The longest header that is read. Units: bytes.
    public static let maximumHeaderLength = 100_000_000

    public let tensors: [String: StoredTensor]
    /// The free-form strings under `__metadata__`.
    public let metadata: [String: String]

    /// Maps and checks a file. The values themselves are not read.
    /// - Throws: `file` where it cannot be read, `safetensors` with the first fault found.
    public init(path: String) throws(CheckpointError) {
        let file: MappedFile
        do { file = try MappedFile(path: path) } catch { throw .file(error) }
        try self.init(named: file)
    }

    /// Checks a mapped file, whose path the error has.
    /// - Throws: `safetensors` with the first fault found.
    public init(named file: MappedFile) throws(CheckpointError) {
        do throws(SafetensorsFault) { self = try Safetensors(file: file) } catch {
            throw .safetensors(path: file.path, error)
        }
    }

    /// Checks a mapped file.
    public init(file: MappedFile) throws(SafetensorsFault) {
        let (header, dataStart) = try file.withBytes { bytes throws(SafetensorsFault) in
            guard bytes.count >= 8 else { throw .tooShort(bytes.count) }
            let declared = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
            guard declared <= UInt64(Self.maximumHeaderLength) else {
                throw .headerTooLong(found: declared, limit: Self.maximumHeaderLength)
            }
            let length = Int(declared)
            guard length <= bytes.count - 8 else {
                throw .headerTruncated(declared: length, available: bytes.count - 8)
            }
            let header = try SafetensorsHeader(UnsafeRawBufferPointer(rebasing: bytes[8..<8 + length]))
            return (header, 8 + length)
        }
        try header.checkLayout(available: file.count - dataStart)
        var tensors: [String: StoredTensor] = [:]
        tensors.reserveCapacity(header.entries.count)
        for entry in header.entries {
            tensors[entry.name] = StoredTensor(entry.type, entry.shape, in: file, at: dataStart + entry.begin)
        }
        self.tensors = tensors
        metadata = header.metadata
    }
}
