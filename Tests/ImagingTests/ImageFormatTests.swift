import Testing

@testable import Imaging

struct ImageFormatTests {
    @Test(
        arguments: [
            ("GIF", Array("GIF89a".utf8)),
            ("WAV", Array("RIFF0000WAVEfmt ".utf8)),
            ("TIFF", [0x49, 0x49, 0x2A, 0, 8, 0, 0, 0]),
            ("HEIC", Array("\0\0\0\u{20}ftypheic".utf8)),
            ("SVG", Array("\u{FEFF}<?xml version=\"1.0\"?>\n<svg xmlns=\"\"/>".utf8)),
            ("HTML", Array("\n<!DOCTYPE html><title>404</title>".utf8)),
            ("XML", Array("<Error/>".utf8)),
            ("BMP", Array("BM000".utf8)),
            ("AVIF", Array("\0\0\0\u{20}ftypavif".utf8)),
            ("JSON", Array("{\"images\":[]}".utf8)),
            ("no bytes", []),
            ("unrecognised data", [0xFF]),
            ("unrecognised data", [0x89, 0x50, 0x4E]),
            ("unrecognised data", Array("RIFF0000WEB".utf8)),
            ("unrecognised data", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        ] as [(String, [UInt8])])
    func namesWhatItCannotRead(name: String, bytes: [UInt8]) {
        let preprocessing = Preprocessing(resize: 8, crop: 8, filter: .bicubic)
        #expect(error(of: bytes, preprocessing) == .unknownFormat(found: name))
        let decoder = ImageDecoder()
        #expect(throws: ImageError.unknownFormat(found: name)) { try decoder.probe(bytes.span) }
    }

    @Test func startOfAJPEGAloneIsDamage() {
        let preprocessing = Preprocessing(resize: 8, crop: 8, filter: .bicubic)
        for bytes in [[0xFF, 0xD8], [0xFF, 0xD8, 0xFF], [0xFF, 0xD8, 0xFF, 0xE1, 0], [0xFF, 0xD8, 0x00]] as [[UInt8]] {
            #expect(error(of: bytes, preprocessing)?.isDamage == true)
        }
    }

    @Test func namesWhatItReads() {
        #expect("\(ImageError.unknownFormat(found: "GIF"))" == "not a JPEG, PNG or WebP image: GIF")
    }
}
