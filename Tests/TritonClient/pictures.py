"""What a model reads for a picture, made by Pillow and NumPy alone."""

import io

import numpy as np
from PIL import Image


def pixels(jpeg, resize, crop):
    """`[crop, crop, 3]` uint8: Pillow's bicubic resize of the short side, then the middle."""
    image = Image.open(io.BytesIO(jpeg)).convert("RGB")
    short, long = min(image.size), max(image.size)
    length = (2 * resize * long + short) // (2 * short)
    size = (resize, length) if image.width <= image.height else (length, resize)
    image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = round((image.width - crop) / 2), round((image.height - crop) / 2)
    return np.asarray(image.crop((left, top, left + crop, top + crop)))


def normalised(pixels, mean, deviation):
    """`[3, H, W]` float32, rounded once as the service does: pixel · 1 / (255 · deviation) - mean / deviation."""
    mean, deviation = np.float32(mean), np.float32(deviation)
    scale = np.float32(1) / (np.float32(255) * deviation)
    shift = -mean / deviation
    # The product of a byte and a float is exact in double precision.
    exact = pixels.astype(np.float64) * scale.astype(np.float64) + shift.astype(np.float64)
    return np.ascontiguousarray(exact.astype(np.float32).transpose(2, 0, 1))
