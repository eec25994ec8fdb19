#!/usr/bin/env python3
"""Makes the PNG fixtures: NAME.png, and NAME.bin, its pixels over white, [height, width, 3] u8.

Needs Pillow 13 and numpy. Run in this directory. The files are written here byte by byte, as Pillow writes neither
interlaced ones nor all depths. The expected pixels are Pillow's, but for what it reads against the specification (see
`departs`): those are worked out of the samples that were written. An interlaced NAME-adam7.png has the pixels of NAME.png.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image

random = np.random.default_rng(2025)
GRAY, RGB, INDEXED, GRAY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GRAY: 1, RGB: 3, INDEXED: 1, GRAY_ALPHA: 2, RGB_ALPHA: 4}
# Where a pass begins and how far its pixels are apart: x, y, dx, dy.
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def filtered(rows, step):
    """The rows one after the other, each under the next of the five filters."""
    out, above = b"", bytes(len(rows[0]))
    for index, row in enumerate(rows):
        kind = index % 5
        line = bytearray()
        for at, value in enumerate(row):
            left = row[at - step] if at >= step else 0
            corner = above[at - step] if at >= step else 0
            guess = [0, left, above[at], (left + above[at]) // 2, paeth(left, above[at], corner)][kind]
            line.append((value - guess) % 256)
        out += bytes([kind]) + bytes(line)
        above = row
    return out


def packed(samples, depth):
    """The bytes of a row of samples, [width, channels]."""
    flat = samples.reshape(-1)
    if depth == 16:
        return flat.astype(">u2").tobytes()
    if depth == 8:
        return flat.astype(np.uint8).tobytes()
    bits = "".join(format(value, f"0{depth}b") for value in flat)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at:at + 8], 2) for at in range(0, len(bits), 8))


def image_data(samples, kind, depth, interlaced):
    step = max(1, CHANNELS[kind] * depth // 8)
    passes = [samples[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [samples]
    return b"".join(filtered([packed(row, depth) for row in part], step) for part in passes if part.size > 0)


def png(samples, kind, depth, interlaced=False, before=b"", after=b"", cuts=1, beyond=b"", level=9):
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced))
    data = zlib.compress(image_data(samples, kind, depth, interlaced) + beyond, level)
    size = -(-len(data) // cuts)
    parts = b"".join(chunk(b"IDAT", data[at:at + size]) for at in range(0, len(data), size))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + parts + after + chunk(b"IEND", b"")


def pillow(data):
    with Image.open(io.BytesIO(data)) as image:
        image = image.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image))[:, :, :3]


def over_white(color, alpha):
    return np.round((color * alpha + 255.0 * (255 - alpha)) / 255).astype(np.uint8)


def by_the_book(samples, kind, depth, palette, transparency):
    """The upper eight bits of samples, or those of fewer bits stretched to 255, over white."""
    if kind == INDEXED:
        index = samples[:, :, 0]
        alpha = np.full(256, 255)
        alpha[:len(transparency or b"")] = list(transparency or b"")
        return over_white(palette[index], alpha[index][:, :, None])
    eight = samples >> 8 if depth == 16 else samples * 255 // (2**depth - 1)
    alpha = np.full(samples.shape[:2], 255)
    if kind in (GRAY_ALPHA, RGB_ALPHA):
        alpha, eight = eight[:, :, -1], eight[:, :, :-1]
    elif transparency is not None:
        key = struct.unpack(f">{CHANNELS[kind]}H", transparency)
        alpha = np.where((samples == np.array(key)).all(axis=2), 0, 255)
    color = np.broadcast_to(eight, eight.shape[:2] + (3,))
    return over_white(color, alpha[:, :, None])


def departs(kind, depth, transparency):
    """Pillow clips 16-bit gray at 255, compares tRNS with samples after it has made them 8 bits, and ignores it in
    colour of 16 bits."""
    return kind == GRAY and depth == 16 or transparency is not None and kind in (GRAY, RGB) and depth not in (1, 8)


def keep(name, samples, kind, depth, palette=None, transparency=None, both=True, **options):
    before = options.pop("before", b"")
    if palette is not None:
        before += chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    if transparency is not None:
        before += chunk(b"tRNS", transparency)
    expected = by_the_book(samples, kind, depth, palette, transparency)
    for suffix, interlaced in [("", False), ("-adam7", True)][:2 if both else 1]:
        data = png(samples, kind, depth, interlaced, before, **options)
        if not departs(kind, depth, transparency):
            assert (pillow(data) == expected).all(), name
        with open(f"{name}{suffix}.png", "wb") as file:
            file.write(data)
    with open(name + ".bin", "wb") as file:
        file.write(expected.tobytes())


def scene(kind, depth, width=13, height=11):
    """Noise on gradients, so that filters and passes matter; the corners are the least and the greatest sample."""
    y, x = np.mgrid[0:height, 0:width]
    most = 2**depth - 1
    slopes = [x / (width - 1), y / (height - 1), (x + y) / (width + height - 2), 1 - x * y / (width * height)]
    samples = np.stack(slopes[:CHANNELS[kind]], axis=2) * most
    samples = (samples + random.normal(0, most / 12, samples.shape)).round().clip(0, most).astype(int)
    samples[0, 0], samples[-1, -1] = 0, most
    return samples


KINDS = {GRAY: ("gray", [1, 2, 4, 8, 16]), RGB: ("rgb", [8, 16]), INDEXED: ("indexed", [1, 2, 4, 8]),
         GRAY_ALPHA: ("gray-alpha", [8, 16]), RGB_ALPHA: ("rgb-alpha", [8, 16])}
palettes = {depth: random.integers(0, 256, (2**depth, 3)) for depth in [1, 2, 4, 8]}
for kind, (name, depths) in KINDS.items():
    for depth in depths:
        palette = palettes[depth] if kind == INDEXED else None
        keep(f"{name}-{depth}", scene(kind, depth), kind, depth, palette)
        if kind in (GRAY_ALPHA, RGB_ALPHA):
            continue
        samples = scene(kind, depth)
        if kind == INDEXED:
            transparency = bytes(random.integers(0, 256, max(1, 2**depth - 1)).tolist())
        else:
            # A sample that is there, and, of 16 bits, beside it one that differs in the last bit alone.
            key = samples[4, 5].copy()
            samples[2:4, 2:9] = key
            if depth == 16:
                key[-1] |= 1
                samples[2:4, 2:6] = key
            transparency = struct.pack(f">{len(key)}H", *key)
        # Not compressed, and a byte follows the last row, so that the checksum behind it is not reached: a byte that a fuzzer
        # changes is a sample's.
        keep(f"{name}-{depth}-transparent", samples, kind, depth, palette, transparency, level=0, beyond=b"\0")

for width, height in [(1, 1), (1, 9), (3, 2), (5, 1)]:
    samples = random.integers(0, 256, (height, width, 3))
    keep(f"rgb-8-{width}x{height}", samples, RGB, 8)

turned = random.integers(0, 256, (4, 6, 3))


def exif(orientation):
    return chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + struct.pack(">HH", orientation, 0) + bytes(4))


keep("exif-before", turned, RGB, 8, both=False, before=exif(6))
keep("exif-after", turned, RGB, 8, both=False, after=exif(6))
# All that has no part in the pixels: a profile and a text of 1 MiB when inflated, gamma and time, and a palette beside full
# colour.
profile = b"sRGB\0\0" + zlib.compress(bytes(1 << 20))
extras = (chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"iCCP", profile) + chunk(b"sBIT", b"\5\5\5")
          + chunk(b"PLTE", bytes(range(30))) + chunk(b"bKGD", bytes(6)) + chunk(b"pHYs", bytes(9))
          + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 20))) + chunk(b"tEXt", b"Title\0a picture")
          + chunk(b"iTXt", b"Title\0\1\0\0\0" + zlib.compress(b"ein Bild")) + chunk(b"tIME", bytes([7, 233, 1, 1, 0, 0, 0])))
keep("extras", turned, RGB, 8, both=False, before=extras, after=chunk(b"tEXt", b"Author\0nobody"), cuts=5)
# Image data that goes on for 4 MiB below the last row.
keep("beyond", turned, RGB, 8, both=False, beyond=bytes(1 << 22))
