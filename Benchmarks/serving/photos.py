"""The photos that are sent: small ones from a directory, and large ones made of them."""
import io
import os
import struct

import numpy as np
from PIL import Image

START_OF_FRAME = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def jpeg_size(data):
    """(width, height), from the frame header."""
    at = 2
    while data[at + 1] not in START_OF_FRAME:
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    height, width = struct.unpack_from(">HH", data, at + 5)
    return width, height


def small_photos(directory, limit):
    """Up to `limit` paths by name: the photos of about 500×375 (either way up) where there are any, else all."""
    paths = [os.path.join(directory, name) for name in sorted(os.listdir(directory))
             if name.lower().endswith((".jpg", ".jpeg"))]
    if not paths:
        raise SystemExit(f"{directory} has no JPEG files")
    usual = [path for path in paths if is_usual(path)]
    return (usual or paths)[:limit]


def is_usual(path):
    with open(path, "rb") as file:
        width, height = jpeg_size(file.read())
    return max(width, height) == 500 and 320 <= min(width, height) <= 400


def write_large_photo(source, path, width=4032, height=3024, byte_count=3_500_000):
    """A photo as large as a phone's: `source` enlarged, with noise, in the quality that comes nearest to `byte_count`."""
    with Image.open(source) as image:
        if image.height > image.width:
            image = image.transpose(Image.Transpose.ROTATE_90)
        pixels = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC), np.float32)
    grain = np.random.default_rng(1).standard_normal((height, width, 1), np.float32) * 4
    image = Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))
    encodings = []
    for quality in range(60, 100, 3):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
        encodings.append(buffer.getvalue())
        if len(encodings[-1]) > byte_count:
            break
    best = min(encodings, key=lambda data: abs(len(data) - byte_count))
    with open(path, "wb") as file:
        file.write(best)
