"""The peers' models: the bundled weights as ONNX, and an int8 version of them by ONNX Runtime's own quantiser."""
import os

import numpy as np

from efficientnet_onnx import write_onnx
from peer_int8 import quantise_for_onnxruntime
from peer_model import input_of_photo


def peer_model_path(precision, weights, calibration_photos, directory):
    """The path of the ONNX file of that precision, written anew."""
    path = os.path.join(directory, f"lite0-{precision}.onnx")
    if precision == "fp32":
        write_onnx("efficientnet_lite0", weights, path)
    else:
        exact = peer_model_path("fp32", weights, calibration_photos, directory)
        quantise_for_onnxruntime(exact, np.concatenate([input_of_photo(photo) for photo in calibration_photos]), path)
    return path
