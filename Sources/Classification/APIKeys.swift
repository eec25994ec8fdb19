import COpenSSL
import FoundationEssentials

/// What a key lets its holder do.
public enum KeyRight: String, CaseIterable, Sendable {
    /// Send images, and read what is loaded.
    case inference
    /// Load and unload models, and look inside.
    case admin
}

/// The keys that let clients in, known by their digests alone.
///
/// A key is 32 random bytes: nothing that could be guessed, so that one round of SHA-256 protects it.
public struct APIKeys: Sendable {
    public struct Entry: Sendable, Equatable {
        public let name: String
        public let rights: Set<KeyRight>
        let digest: [UInt8]
    }

    let entries: [Entry]
    static let maximumFileBytes = 1 << 20

    /// - Throws: `APIKeysError` with the first line that is wrong.
    public init(path: String) throws(APIKeysError) {
        let data: Data
        do { data = try Data(contentsOf: URL(filePath: path)) } catch {
            throw .unreadable(path: path, reason: "it is not there, or may not be read")
        }
        guard data.count <= Self.maximumFileBytes else {
            throw .unreadable(path: path, reason: "\(data.count) bytes are more than \(Self.maximumFileBytes)")
        }
        try self.init(text: String(decoding: data, as: UTF8.self), path: path)
    }

    /// Reads lines `name:rights:digest`. Empty ones, and those that begin with `#`, are passed over. Several keys may
    /// have the same name, so that one can follow the other.
    init(text: String, path: String) throws(APIKeysError) {
        var entries: [Entry] = []
        // CR LF is one character.
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = line.trimmingPrefix(while: \.isWhitespace)
            if line.isEmpty || line.hasPrefix("#") { continue }
            func fault(_ reason: String) -> APIKeysError { .line(path: path, number: index + 1, reason: reason) }
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            guard fields.count == 3 else { throw fault("\(fields.count) fields instead of name:rights:digest") }
            guard Self.isName(fields[0]) else {
                throw fault("the name is not 1 to 64 letters, digits, '.', '_' or '-'")
            }
            var rights: Set<KeyRight> = []
            for word in fields[1].split(separator: ",", omittingEmptySubsequences: false) {
                guard let right = KeyRight(rawValue: String(word)) else {
                    throw fault("no right is called '\(word)'; there are inference and admin")
                }
                rights.insert(right)
            }
            guard let digest = Self.bytes(hexadecimal: fields[2]) else {
                throw fault("the digest is not SHA-256 in 64 hexadecimal digits")
            }
            guard !entries.contains(where: { $0.digest == digest }) else { throw fault("the same key a second time") }
            entries.append(Entry(name: String(fields[0]), rights: rights, digest: digest))
        }
        guard !entries.isEmpty else { throw .empty(path: path) }
        self.entries = entries
    }

    /// The entry of a key; nil where it is nobody's. Takes the same time whichever entry it is, and however much of
    /// a digest agrees.
    func entry(of key: some Sequence<UInt8>) -> Entry? {
        let digest = Self.digest(of: Array(key))
        var found: Entry?
        for entry in entries where CRYPTO_memcmp(entry.digest, digest, digest.count) == 0 { found = entry }
        return found
    }

    public static func isName(_ name: some StringProtocol) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.unicodeScalars.allSatisfy {
                $0.isASCII
                    && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "._-".unicodeScalars.contains($0))
            }
    }

    /// Source: FIPS 180-4.
    static func digest(of bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let status = EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
        precondition(status == 1, "SHA-256 is not available")
        return digest
    }

    private static func bytes(hexadecimal text: Substring) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: 64, by: 2) {
            let pair = digits[index..<index + 2]
            guard pair.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x46).contains($0 & 0xDF) }),
                let byte = UInt8(String(decoding: pair, as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }
}

/// A key that has just been made.
public struct NewAPIKey: Sendable {
    /// What its holder sends; known nowhere else.
    public let key: String
    /// What the keys' file needs of it.
    public let line: String

    /// - Parameter key: one that is there already; nil makes one of 32 random bytes.
    /// - Precondition: `APIKeys.isName(name)`, and there is a right.
    public init(name: String, rights: Set<KeyRight>, key given: String? = nil) {
        precondition(APIKeys.isName(name) && !rights.isEmpty, "a key needs a name and a right")
        if let given {
            key = given
        } else {
            var bytes = [UInt8](repeating: 0, count: 32)
            let status = RAND_bytes(&bytes, Int32(bytes.count))
            precondition(status == 1, "no random bytes are available")
            // Source: RFC 4648 §5. The prefix lets scanners for leaked secrets find it.
            key =
                "swiftlet_"
                + Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
                .replacing("=", with: "")
        }
        let digest = APIKeys.digest(of: Array(key.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let words = KeyRight.allCases.filter(rights.contains).map(\.rawValue)
        line = "\(name):\(words.joined(separator: ",")):\(digest)"
    }
}

/// What is wrong with a file of keys. The keys themselves are never in it.
public enum APIKeysError: Error, Equatable, Sendable, CustomStringConvertible {
    case unreadable(path: String, reason: String)
    case line(path: String, number: Int, reason: String)
    case empty(path: String)

    public var description: String {
        switch self {
        case .unreadable(let path, let reason): "cannot read the keys in \(path): \(reason)"
        case .line(let path, let number, let reason): "\(path), line \(number): \(reason)"
        case .empty(let path): "\(path) holds no key; make one with 'swiftlet key'"
        }
    }
}
