#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// An IPv4 or IPv6 address. One of IPv4 that is written as IPv6 is the IPv4 address.
///
/// Source: RFC 4291 §2.5.5.2.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    /// In network order: 4 bytes, or 16.
    let bytes: [UInt8]

    /// - Precondition: 4 or 16 bytes.
    init(networkOrder bytes: [UInt8]) {
        precondition(bytes.count == 4 || bytes.count == 16, "an address of \(bytes.count) bytes")
        let isMapped =
            bytes.count == 16 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        self.bytes = isMapped ? [UInt8](bytes[12...]) : bytes
    }

    /// - Returns: nil where the text is neither four decimal numbers with dots nor IPv6 without brackets and zone.
    public init?(_ text: some StringProtocol) {
        let text = String(text)
        // Longer ones there are not, and C would end at a NUL.
        guard text.utf8.count < Int(INET6_ADDRSTRLEN), !text.utf8.contains(0) else { return nil }
        let isVersion6 = text.utf8.contains(UInt8(ascii: ":"))
        var bytes = [UInt8](repeating: 0, count: isVersion6 ? 16 : 4)
        guard inet_pton(isVersion6 ? AF_INET6 : AF_INET, text, &bytes) == 1 else { return nil }
        self.init(networkOrder: bytes)
    }

    /// 127.0.0.0/8 or ::1.
    public var isLoopback: Bool {
        bytes.count == 4 ? bytes[0] == 127 : bytes.last == 1 && bytes.dropLast().allSatisfy { $0 == 0 }
    }

    /// Without brackets.
    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count))
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// An address, or all that begin with the same bits: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`.
///
/// Source: RFC 4632 §3.1, RFC 4291 §2.3.
public struct AddressRange: Sendable, Equatable {
    private let network: [UInt8]
    private let bitCount: Int

    /// - Returns: nil where the text is no address with a number of bits that it has, or where bits behind them are set:
    ///   `10.1.0.0/8` is more likely a mistake than what is meant.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = parts.first.flatMap({ IPAddress($0) }) else { return nil }
        network = address.bytes
        guard parts.count == 2 else {
            bitCount = network.count * 8
            return
        }
        // A mapped address has become one of IPv4, and its bits would be counted from elsewhere.
        let isMapped = network.count == 4 && parts[0].contains(":")
        let digits = parts[1]
        guard !isMapped, digits.utf8.count <= 3, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
            let count = Int(digits), count <= network.count * 8
        else { return nil }
        bitCount = count
        for (index, byte) in network.enumerated() where byte & ~Self.mask(index, count) != 0 { return nil }
    }

    public func contains(_ address: IPAddress) -> Bool {
        guard address.bytes.count == network.count else { return false }
        for (index, byte) in network.enumerated() where (address.bytes[index] ^ byte) & Self.mask(index, bitCount) != 0
        {
            return false
        }
        return true
    }

    /// The bits of a byte that are among the first `bitCount` of all.
    private static func mask(_ index: Int, _ bitCount: Int) -> UInt8 {
        let count = max(0, min(8, bitCount - index * 8))
        return ~(UInt8.max >> UInt8(count))
    }
}
