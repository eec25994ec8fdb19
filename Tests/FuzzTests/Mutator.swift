import TestSupport

/// Makes inputs from seeds: bytes changed, taken out, put in and doubled, and pieces of other seeds.
struct Mutator {
    private let seeds: [[UInt8]]
    private let maximumBytes: Int
    private var random: SplitMix64

    init(seeds: [[UInt8]], maximumBytes: Int, seed: UInt64) {
        self.seeds = seeds
        self.maximumBytes = maximumBytes
        random = SplitMix64(seed: seed)
    }

    mutating func next() -> [UInt8] {
        var bytes = seeds.randomElement(using: &random) ?? []
        for _ in 0..<(1 << Int.random(in: 0...4, using: &random)) { mutate(&bytes) }
        return Array(bytes.prefix(maximumBytes))
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        let place = Int.random(in: 0...bytes.count, using: &random)
        let range = place..<min(bytes.count, place + .random(in: 1...8, using: &random))
        switch Int.random(in: 0..<8, using: &random) {
        case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1 where place < bytes.count: bytes[place] = interestingByte()
        case 2: bytes.insert(interestingByte(), at: place)
        case 3: bytes.removeSubrange(range)
        case 4: bytes.insert(contentsOf: bytes[range], at: Int.random(in: 0...bytes.count, using: &random))
        case 5: bytes.insert(contentsOf: pieceOfASeed(), at: place)
        case 6: bytes.replaceSubrange(range, with: pieceOfASeed().prefix(range.count))
        default: bytes.removeSubrange(place...)
        }
    }

    private mutating func interestingByte() -> UInt8 {
        let interesting = Array("\0\t\n\r ,;:=-\"\\/{}[]0123456789abcfg\u{7F}".utf8) + [0x80, 0xFF]
        return Bool.random(using: &random)
            ? interesting.randomElement(using: &random) ?? 0 : UInt8.random(in: 0...255, using: &random)
    }

    private mutating func pieceOfASeed() -> ArraySlice<UInt8> {
        let seed = seeds.randomElement(using: &random) ?? []
        let start = Int.random(in: 0...seed.count, using: &random)
        return seed[start...].prefix(.random(in: 1...32, using: &random))
    }
}
