#!/usr/bin/env python3
"""Makes the WebP fixtures: NAME.webp, and NAME.bin, what Pillow makes of it over white, [height, width, 3] u8.

Needs Pillow 13 and numpy. Run in this directory.
"""

import io
import struct

import numpy as np
from PIL import Image

random = np.random.default_rng(2026)


def scene(width, height, channels=3):
    """Gradients, a disc and noise; alpha falls from left to right."""
    y, x = np.mgrid[0:height, 0:width]
    disc = 255 * ((x - width / 2) ** 2 + (y - height / 3) ** 2 < width * height / 12)
    planes = [255 * x / width, 255 * y / height, disc, 280 - 300 * x / width]
    pixels = np.stack(planes[:channels], axis=2)
    pixels[:, :, :3] += random.normal(0, 12, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def encode(image, **options):
    file = io.BytesIO()
    image.save(file, "WebP", **options)
    return file.getvalue()


def expected(data):
    with Image.open(io.BytesIO(data)) as image:
        image = image.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image))[:, :, :3]


def keep(name, data, pixels=None):
    with open(name + ".webp", "wb") as file:
        file.write(data)
    with open(name + ".bin", "wb") as file:
        file.write((expected(data) if pixels is None else pixels).tobytes())


def chunk(kind, content):
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def riff(*chunks):
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def u24(value):
    return struct.pack("<I", value)[:3]


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def frames(data):
    """The image chunks of a still picture, ALPH and VP8 or VP8L."""
    at, kept = 12, b""
    while at < len(data):
        kind, length = data[at:at + 4], struct.unpack("<I", data[at + 4:at + 8])[0]
        if kind in (b"ALPH", b"VP8 ", b"VP8L"):
            kept += chunk(kind, data[at + 8:at + 8 + length])
        at += 8 + length + length % 2
    return kept


keep("lossy", encode(scene(33, 21), quality=60))
keep("lossy-high", encode(scene(32, 32), quality=95, method=6))
keep("lossy-alpha", encode(scene(33, 21, 4), quality=60))
keep("lossy-alpha-raw", encode(scene(17, 9, 4), quality=60, alpha_quality=20, method=0))
keep("lossless", encode(scene(33, 21), lossless=True))
keep("lossless-alpha", encode(scene(33, 21, 4), lossless=True, exact=True))
few = scene(33, 21).quantize(12).convert("RGB")
keep("lossless-few-colors", encode(few, lossless=True))
keep("one-pixel", encode(scene(1, 1)))
keep("one-pixel-lossless", encode(scene(1, 1), lossless=True))
keep("exif-6", encode(scene(18, 12), exif=exif(6), lossless=True))
keep("profile", encode(scene(18, 12), icc_profile=bytes(200), xmp=b"<x/>", exif=exif(1)))
keep("animated", encode(scene(16, 12, 4), save_all=True, append_images=[scene(16, 12, 4)], duration=100, lossless=True))
for name, options in [("lossy", {"quality": 70}), ("lossless", {"lossless": True})]:
    # A first frame that leaves a part of the canvas free.
    frame = frames(encode(scene(12, 7, 4), **options))
    header = u24(3) + u24(2) + u24(11) + u24(6) + u24(100) + bytes([0])  # places are halved, sizes less one
    keep(f"animated-part-{name}", riff(
        chunk(b"VP8X", bytes([0x12, 0, 0, 0]) + u24(23) + u24(14)), chunk(b"ANIM", bytes(6)),
        chunk(b"ANMF", header + frame), chunk(b"ANMF", bytes(6) + header[6:] + frame)))
# Large enough to be decoded at 1/2, 1/4 and 1/8; what Pillow's box filter makes of it at these sizes.
for name, options in [("lossy", {"quality": 80}), ("lossless", {"lossless": True})]:
    smooth = scene(160, 120).resize((97, 73), Image.BICUBIC, (20, 20, 140, 100))
    data = encode(smooth, **options)
    keep(f"large-{name}", data)
