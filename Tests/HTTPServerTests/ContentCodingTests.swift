import CZlib
import HTTPTypes
import Parallelism
import TestSupport
import Testing

@testable import HTTPServer

/// What Python 3.11's `gzip.compress(b"hello hello hello", mtime=0)` and `zlib.compress` of the same make.
private let hello = Array("hello hello hello".utf8)
private let samples: [(coding: ContentCoding, bytes: [UInt8])] = [
    (
        .gzip,
        [
            0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0x57, 0xC8, 0x40,
            0x90, 0x00, 0x80, 0x88, 0xF9, 0xE5, 0x11, 0x00, 0x00, 0x00,
        ]
    ),
    (
        .deflate,
        [
            0x78, 0x9C, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0x57, 0xC8, 0x40, 0x90, 0x00, 0x3A, 0x2E, 0x06, 0x7D,
        ]
    ),
]

struct ContentCodingTests {
    @Test(arguments: samples.indices) func decodesWhatOthersEncode(index: Int) throws {
        let (coding, bytes) = samples[index]
        #expect(try coding.decode(bytes, maximum: 17) == hello)
        #expect(try coding.decode(bytes, maximum: .max) == hello)
        #expect(throws: ContentCoding.Fault.tooLong(maximum: 16)) { try coding.decode(bytes, maximum: 16) }
        #expect(throws: ContentCoding.Fault.tooLong(maximum: 0)) { try coding.decode(bytes, maximum: 0) }
    }

    @Test(arguments: samples.indices) func refusesWhatIsCutOff(index: Int) {
        let (coding, bytes) = samples[index]
        for count in bytes.indices {
            #expect(throws: ContentCoding.Fault.truncated(coding)) {
                try coding.decode(Array(bytes[..<count]), maximum: 100)
            }
        }
    }

    @Test(arguments: samples.indices) func refusesWhatFollowsTheEnd(index: Int) {
        let (coding, bytes) = samples[index]
        #expect(throws: ContentCoding.Fault.trailingBytes(coding, count: 1)) {
            try coding.decode(bytes + [0], maximum: 100)
        }
        // A second member, too: nobody means one in a request.
        #expect(throws: ContentCoding.Fault.trailingBytes(coding, count: bytes.count)) {
            try coding.decode(bytes + bytes, maximum: 100)
        }
    }

    @Test(arguments: samples.indices) func refusesDamageAndOtherFormats(index: Int) {
        let (coding, bytes) = samples[index]
        let raw = Array(samples[1].bytes[2..<12])
        for other in [samples[1 - index].bytes, raw, hello, [UInt8](repeating: 0xFF, count: 40)] {
            #expect(throws: ContentCoding.Fault.damaged(coding)) { try coding.decode(other, maximum: 100) }
        }
        // The checksum is at the end.
        for place in (coding == .gzip ? bytes.count - 8 : bytes.count - 4)..<bytes.count {
            var damaged = bytes
            damaged[place] ^= 0x10
            #expect(throws: ContentCoding.Fault.damaged(coding)) { try coding.decode(damaged, maximum: 100) }
        }
    }

    @Test(arguments: ContentCoding.allCases) func readsBackWhatItWrites(coding: ContentCoding) throws {
        var random = SplitMix64(seed: 3)
        for count in [1400, 65_535, 65_536, 65_537, 1_000_000] {
            let body = (0..<count).map { _ in UInt8.random(in: 0..<16, using: &random) }
            let encoded = try #require(coding.encode(body))
            #expect(encoded.count < body.count)
            #expect(try coding.decode(encoded, maximum: count) == body)
        }
        // What does not shrink is left as it is.
        let noise = (0..<5000).map { _ in UInt8.random(in: 0...255, using: &random) }
        #expect(coding.encode(noise) == nil)
        #expect(coding.encode([]) == nil)
    }

    @Test func stopsABombAtTheLimit() throws {
        // 64 MiB of zeros in 64 KiB.
        let bomb = try #require(ContentCoding.gzip.encode([UInt8](repeating: 0, count: 64 << 20)))
        #expect(bomb.count < 1 << 20)
        var held = 0
        #expect(throws: ContentCoding.Fault.tooLong(maximum: 1 << 20)) {
            try ContentCoding.gzip.decode(bomb, maximum: 1 << 20) {
                held += $0
                return true
            }
        }
        #expect(held == (1 << 20) + 1)
        #expect(throws: ContentCoding.Fault.noMemory) {
            try ContentCoding.gzip.decode(bomb, maximum: 1 << 30) {
                held += $0
                return held < 4 << 20
            }
        }
    }

    @Test(
        arguments: [
            (nil, nil), ("gzip", .gzip), ("GZip", .gzip), ("x-gzip", .gzip), ("deflate", .deflate), ("identity", nil),
            ("", nil),
            (" identity , gzip", .gzip), (", gzip ,", .gzip),
        ] as [(String?, ContentCoding?)])
    func tellsTheCodingOfABody(value: String?, expected: ContentCoding?) throws {
        var fields = HTTPFields()
        fields[.contentEncoding] = value
        #expect(try ContentCoding.ofBody(fields) == expected)
    }

    @Test(arguments: ["br", "zstd", "compress", "gzip, gzip", "gzip, deflate", "gzip;q=1", "gz ip", "é"])
    func refusesOtherCodings(value: String) {
        var fields = HTTPFields()
        fields[.contentEncoding] = value
        #expect(throws: ContentCoding.Fault.unknown(value)) { try ContentCoding.ofBody(fields) }
    }

    @Test(
        arguments: [
            (nil, nil), ("", nil), ("gzip", .gzip), ("deflate", .deflate), ("gzip, deflate", .gzip),
            ("deflate, gzip", .gzip),
            ("gzip;q=0.5, deflate", .deflate), ("gzip ; q=0.5 , deflate;q=0.4", .gzip), ("gzip;q=0", nil),
            ("gzip;q=0, deflate;q=0", nil), ("*", .gzip), ("*;q=0", nil), ("gzip;q=0, *", .deflate), ("br, zstd", nil),
            ("identity", nil), ("br;q=1, gzip;q=nonsense", nil), ("X-GZIP", .gzip),
        ] as [(String?, ContentCoding?)])
    func choosesWhatIsAskedFor(value: String?, expected: ContentCoding?) {
        var fields = HTTPFields()
        fields[.acceptEncoding] = value
        #expect(ContentCoding.preferred(by: fields) == expected)
    }

    @Test func encodesOnlyLongBodies() throws {
        var short = Response(contentType: "text/plain", body: [UInt8](repeating: 65, count: 1399))
        short.encodeBody(.gzip)
        #expect(short.body.count == 1399 && short.fields[.contentEncoding] == nil)
        var long = Response(contentType: "text/plain", body: [UInt8](repeating: 65, count: 1400))
        long.encodeBody(nil)
        // A cache must know that another client gets it otherwise.
        #expect(long.body.count == 1400 && long.fields[.vary] == "Accept-Encoding")
        long.encodeBody(.deflate)
        #expect(long.fields[.contentEncoding] == "deflate")
        #expect(try ContentCoding.deflate.decode(long.body, maximum: 1400) == [UInt8](repeating: 65, count: 1400))
        let once = long.body
        long.encodeBody(.gzip)
        #expect(long.body == once && long.fields[.contentEncoding] == "deflate")
    }
}
