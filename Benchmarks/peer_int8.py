"""int8 models of the peers, made by their own tools for post-training quantisation from the same weights and pictures.

    quantise_for_onnxruntime("lite0.onnx", pictures, "lite0-int8.onnx")
    quantise_for_openvino("lite0.onnx", pictures, "lite0-int8.xml")

`pictures` are normalised: [N, 3, height, width] f32.
"""
import logging
import os
import tempfile

# NNCF reports its use to its makers, except under this name.
os.environ.setdefault("NNCF_CI", "1")
# Pictures that ONNX Runtime keeps all activations of at a time: 50 MB each for Lite2.
CHUNK = 20


def quantise_for_onnxruntime(onnx_path, pictures, path, calibration="MinMax"):
    """Static, per-channel int8 weights, uint8 activations, QDQ format, after ONNX Runtime's own preparation.

    `calibration` is `MinMax`, `Entropy` or `Percentile`.
    """
    from onnxruntime.quantization import (CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType,
                                          quantize_static)
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.rest = iter(pictures)

        def get_next(self):
            picture = next(self.rest, None)
            return None if picture is None else {"input": picture[None]}

        def __len__(self):
            # The last chunk may be a short one.
            return -(-len(pictures) // CHUNK) * CHUNK

        def set_range(self, start_index, end_index):
            self.rest = iter(pictures[start_index:end_index])

    with tempfile.TemporaryDirectory() as directory:
        prepared_path = os.path.join(directory, "prepared.onnx")
        # Symbolic shapes are for transformers; plain inference knows all shapes of these networks.
        quant_pre_process(onnx_path, prepared_path, skip_symbolic_shape=True)
        quantize_static(
            prepared_path, path, Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, reduce_range=not has_vnni(),
            calibrate_method=CalibrationMethod[calibration], extra_options={"CalibStridedMinMax": CHUNK})


def quantise_for_openvino(onnx_path, pictures, path, preset=None, corrects_bias_accurately=False):
    """NNCF's post-training quantisation.

    `preset` is `performance` or `mixed`, with symmetric or asymmetric activations; without one it is as NNCF's manual
    advises: mixed where activations are not ReLU's.
    """
    import nncf
    import openvino

    logging.getLogger("nncf").setLevel(logging.WARNING)
    # Unlike `Core.read_model` it folds constants, without which NNCF finds no biases to correct.
    model = openvino.convert_model(onnx_path)
    if preset is None:
        is_silu = any(node.get_type_name() == "Sigmoid" for node in model.get_ops())
        preset = "mixed" if is_silu else "performance"
    data = nncf.Dataset([picture[None] for picture in pictures])
    quantised = nncf.quantize(model, data, preset=nncf.QuantizationPreset(preset), subset_size=len(pictures),
                              fast_bias_correction=not corrects_bias_accurately, target_device=nncf.TargetDevice.CPU)
    openvino.save_model(quantised, path, compress_to_fp16=False)


def has_vnni():
    """Without it, ONNX Runtime's products of uint8 and int8 saturate unless weights have 7 bits."""
    with open("/proc/cpuinfo") as file:
        flags = next((line.split() for line in file if line.startswith("flags")), [])
    return "avx512_vnni" in flags or "avx_vnni" in flags
