#!/usr/bin/env python3
"""Makes the JPEG fixtures and what Pillow makes of them: NAME.jpg and NAME.bin, [crop, crop, 3] u8.

Needs Pillow 13, numpy, and libjpeg-turbo's jpegtran. Run in this directory. The resize rounds the long side to the
nearest, the crop is torchvision's CenterCrop.
"""

import io
import subprocess

import numpy as np
from PIL import Image, ImageOps

random = np.random.default_rng(2024)


def scene(width, height):
    """Gradients, a disc and noise."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [255 * x / width, 255 * y / height, 255 * ((x - width / 2) ** 2 + (y - height / 3) ** 2 < 400)]
    pixels = np.stack(channels, axis=2) + random.normal(0, 12, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def encode(image, transform=None, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", **{"quality": 85, **options})
    if transform is None:
        return file.getvalue()
    return subprocess.run(["jpegtran", *transform], input=file.getvalue(), stdout=subprocess.PIPE, check=True).stdout


def expected(data, resize, crop, filter, reduction):
    image = Image.open(io.BytesIO(data))
    width, height = image.size
    box = (0, 0, width / reduction, height / reduction)
    if reduction > 1:  # upright ones only
        image.draft(None, (width // reduction, height // reduction))
        assert image.size == (-(-width // reduction), -(-height // reduction))
    else:
        image = ImageOps.exif_transpose(image)
        width, height = image.size
        box = None
    image = image.convert("RGB")
    short, long = min(width, height), max(width, height)
    length = (2 * resize * long + short) // (2 * short)
    size = (resize, length) if width <= height else (length, resize)
    image = image.resize(size, filter, box)
    left, top = (int(round((length - crop) / 2)) if length > crop else -((crop - length) // 2) for length in size)
    return np.asarray(image.crop((left, top, left + crop, top + crop))).tobytes()


def orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def keep(name, data, resize=40, crop=32, filter=Image.BICUBIC, reduction=1):
    with open(name + ".jpg", "wb") as file:
        file.write(data)
    with open(name + ".bin", "wb") as file:
        file.write(expected(data, resize, crop, filter, reduction))


wide = scene(97, 61)
keep("420", encode(wide, subsampling=2))
keep("422", encode(wide, subsampling=1))
keep("440", encode(scene(61, 97), subsampling=1, transform=["-rotate", "90"]))
keep("444", encode(wide, subsampling=0))
keep("rgb", encode(wide, keep_rgb=True))
keep("grayscale", encode(wide.convert("L")))
keep("progressive", encode(wide, progressive=True, subsampling=2))
keep("progressive-grayscale", encode(wide.convert("L"), progressive=True))
keep("restart", encode(wide, restart_marker_blocks=3, subsampling=2))
keep("arithmetic", encode(wide, subsampling=2, transform=["-arithmetic"]))
keep("arithmetic-progressive", encode(wide, subsampling=2, transform=["-arithmetic", "-progressive"]))

cmyk = encode(wide.convert("CMYK"))
keep("cmyk", cmyk)
adobe = cmyk.index(b"Adobe\0") + 11  # the transform byte: 0 is CMYK, 2 is YCCK
keep("ycck", cmyk[:adobe] + b"\2" + cmyk[adobe + 1:])

turned = scene(70, 53)
for value in range(1, 9):
    keep(f"orientation-{value}", encode(turned, exif=orientation(value), subsampling=2))

keep("tall", encode(scene(41, 150), subsampling=2), resize=30)
keep("tall-turned", encode(scene(150, 41), subsampling=2, exif=orientation(6)), resize=30)
keep("enlarged", encode(scene(37, 45), subsampling=2), resize=90)
keep("bilinear", encode(wide, subsampling=2), filter=Image.BILINEAR)
keep("padded", encode(scene(75, 31), subsampling=2), resize=21)
keep("one-pixel", encode(scene(1, 1)))
keep("reduced-2", encode(wide, subsampling=2), resize=30, crop=28, reduction=2)
keep("reduced-4", encode(scene(201, 133), progressive=True), resize=30, crop=28, reduction=4)
keep("reduced-8", encode(scene(253, 331), subsampling=1), resize=30, crop=28, reduction=8)
