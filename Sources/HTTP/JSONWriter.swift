/// Writes JSON straight into bytes: what answers on the hot path are made with.
///
/// The caller writes names and values in order; commas are the writer's. Source: RFC 8259.
public struct JSONWriter: Sendable {
    /// What has been written so far.
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    public init(capacity: Int = 512) { bytes.reserveCapacity(capacity) }

    public mutating func object(_ name: StaticString? = nil, _ body: (inout JSONWriter) -> Void) {
        container(name, UInt8(ascii: "{"), UInt8(ascii: "}"), body)
    }

    public mutating func array(_ name: StaticString? = nil, _ body: (inout JSONWriter) -> Void) {
        container(name, UInt8(ascii: "["), UInt8(ascii: "]"), body)
    }

    public mutating func value(_ name: StaticString? = nil, _ text: String) {
        begin(name)
        appendQuoted(text)
    }

    public mutating func value(_ name: StaticString? = nil, _ number: Int) {
        begin(name)
        bytes.append(contentsOf: String(number).utf8)
    }

    /// - Precondition: the number is finite.
    public mutating func value(_ name: StaticString? = nil, _ number: Float) {
        precondition(number.isFinite, "JSON has no \(number)")
        begin(name)
        bytes.append(contentsOf: number.description.utf8)
    }

    public mutating func value(_ name: StaticString? = nil, _ flag: Bool) {
        begin(name)
        bytes.append(contentsOf: (flag ? "true" : "false").utf8)
    }

    public mutating func null(_ name: StaticString? = nil) {
        begin(name)
        bytes.append(contentsOf: "null".utf8)
    }

    /// An object under a name that is not known before.
    public mutating func object(key: String, _ body: (inout JSONWriter) -> Void) {
        begin(nil)
        appendQuoted(key)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
        object(nil, body)
    }

    /// Text that needs no escape.
    public mutating func constant(_ name: StaticString? = nil, _ text: StaticString) {
        begin(name)
        bytes.append(UInt8(ascii: "\""))
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Text under a name that is not known before.
    public mutating func value(key: String, _ text: String) {
        begin(nil)
        appendQuoted(key)
        bytes.append(UInt8(ascii: ":"))
        appendQuoted(text)
    }

    /// What is JSON already.
    public mutating func json(_ name: StaticString? = nil, _ text: String) {
        begin(name)
        bytes.append(contentsOf: text.utf8)
    }

    /// What is JSON already, under a name that is not known before.
    public mutating func json(key: String, _ text: String) {
        begin(nil)
        appendQuoted(key)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func container(
        _ name: StaticString?, _ open: UInt8, _ close: UInt8, _ body: (inout JSONWriter) -> Void
    ) {
        begin(name)
        bytes.append(open)
        needsComma = false
        body(&self)
        bytes.append(close)
        needsComma = true
    }

    private mutating func begin(_ name: StaticString?) {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
        guard let name else { return }
        bytes.append(UInt8(ascii: "\""))
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func appendQuoted(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                let digits: StaticString = "0123456789abcdef"
                bytes.append(contentsOf: "\\u00".utf8)
                digits.withUTF8Buffer { bytes.append(contentsOf: [$0[Int(byte >> 4)], $0[Int(byte & 15)]]) }
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
