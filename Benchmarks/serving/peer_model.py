"""What both peers' servers run: a JPEG in, the five most probable classes out, with Pillow, NumPy and ONNX Runtime.

`PEER_MODEL` and `PEER_LABELS` name the ONNX file and its labels.
"""
import io
import os

import numpy as np
import onnxruntime
from PIL import Image

RESIZE, CROP = 256, 224
MEAN, SCALE = np.float32(127), np.float32(1 / 128)


def crop_of_photo(jpeg):
    """The centre of the photo after its short side became `RESIZE` pixels: [CROP, CROP, 3] u8."""
    image = Image.open(io.BytesIO(jpeg))
    if image.mode != "RGB":
        image = image.convert("RGB")
    width, height = image.size
    short, long = min(width, height), max(width, height)
    long = (2 * RESIZE * long + short) // (2 * short)
    size = (RESIZE, long) if width <= height else (long, RESIZE)
    image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = round((size[0] - CROP) / 2), round((size[1] - CROP) / 2)
    return np.asarray(image.crop((left, top, left + CROP, top + CROP)))


def input_of_photo(jpeg):
    """Shapes: [1, 3, CROP, CROP] f32."""
    x = np.empty((1, 3, CROP, CROP), np.float32)
    np.subtract(crop_of_photo(jpeg).transpose(2, 0, 1), MEAN, out=x[0])
    x *= SCALE
    return x


class PeerModel:
    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["PEER_MODEL"], options,
                                                    providers=["CPUExecutionProvider"])
        with open(os.environ["PEER_LABELS"], encoding="utf-8") as file:
            self.labels = file.read().splitlines()

    def classify(self, jpeg):
        logits = self.session.run(None, {"input": input_of_photo(jpeg)})[0][0]
        exponentials = np.exp(logits - logits.max())
        best = np.argpartition(logits, -5)[-5:]
        best = best[np.argsort(-logits[best])]
        probabilities = exponentials[best] / exponentials.sum()
        return {"predictions": [{"index": int(i), "label": self.labels[i], "probability": float(p)}
                                for i, p in zip(best, probabilities)]}
