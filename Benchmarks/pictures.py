"""Pictures as networks get them, prepared by Pillow, so that every engine computes the same numbers."""
import os

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def picture_paths(directory):
    """Of all pictures in a directory and below, sorted."""
    found = [os.path.join(folder, name) for folder, _, names in os.walk(directory) for name in names]
    return sorted(path for path in found if path.lower().endswith(SUFFIXES))


def spread(paths, count):
    """`count` of the paths, evenly over all of them."""
    return [paths[index * len(paths) // count] for index in range(min(count, len(paths)))] if paths else []


def prepared(path, preprocessing):
    """Shapes: [3, crop, crop] f32. `preprocessing` has the keys of a model.json: resize, crop, filter, mean, std."""
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file).convert("RGB")
    short, side = min(picture.size), preprocessing["crop"]
    width, height = ((2 * preprocessing["resize"] * length + short) // (2 * short) for length in picture.size)
    picture = picture.resize((width, height), FILTERS[preprocessing["filter"]])
    # Halves go to the even pixel, as torchvision's crop has it, and ours.
    left, top = round((width - side) / 2), round((height - side) / 2)
    pixels = np.asarray(picture.crop((left, top, left + side, top + side)), np.float32) / 255
    pixels = (pixels - np.float32(preprocessing["mean"])) / np.float32(preprocessing["std"])
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def prepared_batch(paths, preprocessing):
    """Shapes: [N, 3, crop, crop] f32."""
    return np.stack([prepared(path, preprocessing) for path in paths])
