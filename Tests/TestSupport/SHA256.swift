/// SHA-256 as the standard writes it down, to check the service's against.
///
/// Source: FIPS 180-4, sections 4.1.2, 5.1.1, 5.3.3 and 6.2.
public enum SHA256 {
    /// The digest in lower-case hexadecimal.
    public static func hexadecimal(_ message: [UInt8]) -> String {
        var state = roots(count: 8, power: 2)
        let constants = roots(count: 64, power: 3)
        let zeros = (119 - message.count % 64) % 64
        let length = (0..<8).reversed().map { UInt8(truncatingIfNeeded: (UInt64(message.count) * 8) >> ($0 * 8)) }
        let wholeBlocks = message.count / 64 * 64
        let tail = message[wholeBlocks...] + [0x80] + [UInt8](repeating: 0, count: zeros) + length
        var schedule = [UInt32](repeating: 0, count: 64)
        message.withUnsafeBufferPointer { bytes in
            for block in stride(from: 0, to: wholeBlocks, by: 64) {
                compress(UnsafeBufferPointer(rebasing: bytes[block..<block + 64]), &state, &schedule, constants)
            }
        }
        Array(tail).withUnsafeBufferPointer { bytes in
            for block in stride(from: 0, to: bytes.count, by: 64) {
                compress(UnsafeBufferPointer(rebasing: bytes[block..<block + 64]), &state, &schedule, constants)
            }
        }
        return state.map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined()
    }

    private static func compress(
        _ block: UnsafeBufferPointer<UInt8>, _ state: inout [UInt32], _ w: inout [UInt32], _ constants: [UInt32]
    ) {
        func rotate(_ x: UInt32, _ bits: UInt32) -> UInt32 { x >> bits | x << (32 - bits) }
        for t in 0..<16 {
            w[t] =
                UInt32(block[4 * t]) << 24 | UInt32(block[4 * t + 1]) << 16 | UInt32(block[4 * t + 2]) << 8
                | UInt32(block[4 * t + 3])
        }
        for t in 16..<64 {
            let a = w[t - 15]
            let b = w[t - 2]
            w[t] =
                w[t - 16] &+ (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) &+ w[t - 7]
                &+ (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10)
        }
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        var (e, f, g, h) = (state[4], state[5], state[6], state[7])
        for t in 0..<64 {
            let first =
                h &+ (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) &+ (e & f ^ ~e & g) &+ constants[t] &+ w[t]
            let second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) &+ (a & b ^ a & c ^ b & c)
            (h, g, f, e, d, c, b, a) = (g, f, e, d &+ first, c, b, a, first &+ second)
        }
        for (index, word) in [a, b, c, d, e, f, g, h].enumerated() { state[index] &+= word }
    }

    /// The first 32 bits of the fractional parts of the roots of the first primes.
    /// - Precondition: `power` is 2 or 3.
    private static func roots(count: Int, power: Int) -> [UInt32] {
        var primes: [Int] = []
        var candidate = 2
        while primes.count < count {
            if primes.allSatisfy({ candidate % $0 != 0 }) { primes.append(candidate) }
            candidate += 1
        }
        return primes.map { prime in
            // The largest r with r to the power of 2 or 3 not above prime · 2^(32 · power), found by bisection.
            var low: UInt64 = 0
            var high: UInt64 = 1 << 37
            while high - low > 1 {
                let middle = (low + high) / 2
                if isAbove(middle, prime, power) { high = middle } else { low = middle }
            }
            return UInt32(truncatingIfNeeded: low)
        }
    }

    private static func isAbove(_ root: UInt64, _ prime: Int, _ power: Int) -> Bool {
        let value = (0..<power).reduce(UInt128(1)) { product, _ in product * UInt128(root) }
        return value > UInt128(prime) << (32 * UInt128(power))
    }
}
