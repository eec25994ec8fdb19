import Tensors
import TestSupport
import Testing

@testable import Checkpoints

struct SafetensorsTests {
    @Test func readsWhatPythonWrote() throws {
        let file = try Safetensors(path: Fixtures.path("safetensors/python.safetensors"))
        #expect(file.metadata == ["format": "np", "note": "line\nbreak é"])
        #expect(Set(file.tensors.keys) == ["f32", "f16", "bf16", "i64", "scalar", "empty", "ünï \"q\\"])
        let floats = try #require(file.tensors["f32"])
        #expect(floats.shape == [3, 3])
        #expect(floats.floats == [0, -0.0, 1, -2.5, 65504, 6e-8, .infinity, -.infinity, 3.14159])
        #expect(
            file.tensors["f16"]?.floats == [0, -0.0, 1, -2.5, 65504, 0x1p-24, .infinity, -.infinity, 3.140625])
        #expect(
            file.tensors["bf16"]?.floats.map(\.bitPattern) == [
                0, 0x8000_0000, 0x3F80_0000, 0xC020_0000, 0x4780_0000, 0x3381_0000, 0x7F80_0000, 0xFF80_0000,
                0x4049_0000,
            ])
        #expect(
            file.tensors["i64"]?.withBytes { Array($0) } == [UInt8](repeating: 255, count: 8) + [
                0, 0, 0, 0, 0, 1, 0, 0,
            ])
        #expect(file.tensors["scalar"]?.shape == [])
        #expect(file.tensors["empty"]?.shape == [0, 5])
        #expect(file.tensors["ünï \"q\\"]?.floats == [1])
    }

    @Test func readsBackWhatItWrote() throws {
        let directory = try TemporaryDirectory()
        let original = try Safetensors(path: Fixtures.path("safetensors/python.safetensors"))
        let metadata = ["note": "\u{1}\t\"\\ é \u{1F600}", "": ""]
        let path = "\(directory.path)/copy.safetensors"
        try Safetensors.write(original.tensors, metadata: metadata, to: path)
        let copy = try Safetensors(path: path)
        #expect(copy.metadata == metadata)
        #expect(Set(copy.tensors.keys) == Set(original.tensors.keys))
        for (name, tensor) in copy.tensors {
            #expect(tensor.elementType == original.tensors[name]?.elementType)
            #expect(tensor.shape == original.tensors[name]?.shape)
            let bytes = tensor.withBytes { Array($0) }
            #expect(bytes == original.tensors[name]?.withBytes { Array($0) })
            #expect(tensor.withBytes { Int(bitPattern: $0.baseAddress) } % tensor.elementType.size == 0)
        }
    }

    @Test func writesAnEmptyFileThatReadsBack() throws {
        let directory = try TemporaryDirectory()
        try Safetensors.write([:], to: "\(directory.path)/empty")
        #expect(try Safetensors(path: "\(directory.path)/empty").tensors.isEmpty)
    }

    @Test func everyTruncationIsAnError() throws {
        let whole = try Fixtures.bytes("safetensors/python.safetensors")
        let directory = try TemporaryDirectory()
        for count in 0..<whole.count {
            let path = try directory.write(whole.prefix(count), to: "f")
            #expect(throws: CheckpointError.self, "\(count) bytes") { try Safetensors(path: path) }
        }
    }

    @Test func mangledHeadersNeverTrap() throws {
        let whole = try Fixtures.bytes("safetensors/python.safetensors")
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SplitMix64(seed: seed)
        let directory = try TemporaryDirectory()
        var refused = 0
        for _ in 0..<2000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                bytes[Int.random(in: 0..<480, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            let file = try MappedFile(path: directory.write(bytes, to: "f"))
            do throws(SafetensorsFault) {
                // What is accepted can be read to its end.
                for tensor in try Safetensors(file: file).tensors.values {
                    #expect(tensor.withBytes { $0.count } == tensor.byteCount, "seed \(seed)")
                }
            } catch { refused += 1 }
        }
        #expect(refused > 1000, "seed \(seed)")
    }

    @Test func namesAMissingFile() {
        #expect(throws: CheckpointError.file(.cannotOpen(path: "/nowhere", code: 2))) {
            try Safetensors(path: "/nowhere")
        }
    }
}
