"""Writes the bundled EfficientNet-Lite0 as an ONNX file, batch norms folded: what ONNX Runtime is measured with."""
import json
import struct

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# [expand, channels, repeats, stride, kernel] of EfficientNet-B0; Lite0 keeps them.
STAGES = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5),
          (6, 320, 1, 1, 3)]
EPSILON = 1e-3


def read_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    return {
        name: np.frombuffer(data[entry["data_offsets"][0]:entry["data_offsets"][1]], "<f4").reshape(entry["shape"])
        for name, entry in header.items() if name != "__metadata__" and entry["dtype"] == "F32"
    }


def same_padding(size, kernel, stride):
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def write_lite0(weights_path, path, size=224, classes=1000):
    weights = read_safetensors(weights_path)
    nodes, constants = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def convolution(x, name, norm, size, kernel, stride, groups, clips):
        scale = weights[norm + ".weight"] / np.sqrt(weights[norm + ".running_var"].astype(np.float64) + EPSILON)
        folded = (weights[name + ".weight"] * scale[:, None, None, None]).astype(np.float32)
        bias = (weights[norm + ".bias"] - weights[norm + ".running_mean"] * scale).astype(np.float32)
        before, after = same_padding(size, kernel, stride)
        nodes.append(helper.make_node(
            "Conv", [x, constant(name + ".w", folded), constant(name + ".b", bias)], [name], kernel_shape=[kernel] * 2,
            strides=[stride] * 2, pads=[before, before, after, after], group=groups))
        if not clips:
            return name, -(-size // stride)
        nodes.append(helper.make_node("Clip", [name, "zero", "six"], [name + ".clip"]))
        return name + ".clip", -(-size // stride)

    constant("zero", np.float32(0))
    constant("six", np.float32(6))
    x, side = convolution("input", "_conv_stem", "_bn0", size, 3, 2, 1, True)
    channels, index = 32, 0
    for expand, outputs, repeats, first_stride, kernel in STAGES:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            prefix, skip, before = f"_blocks.{index}.", x, side
            if expand != 1:
                x, _ = convolution(x, prefix + "_expand_conv", prefix + "_bn0", side, 1, 1, 1, True)
            x, side = convolution(x, prefix + "_depthwise_conv", prefix + "_bn1", side, kernel, stride,
                                  channels * expand, True)
            x, _ = convolution(x, prefix + "_project_conv", prefix + "_bn2", side, 1, 1, 1, False)
            if stride == 1 and channels == outputs:
                nodes.append(helper.make_node("Add", [x, skip], [prefix + "add"]))
                x = prefix + "add"
            channels, index = outputs, index + 1
    x, _ = convolution(x, "_conv_head", "_bn1", side, 1, 1, 1, True)
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["features"]))
    nodes.append(helper.make_node(
        "Gemm", ["features", constant("fc.w", weights["_fc.weight"]), constant("fc.b", weights["_fc.bias"])], ["logits"],
        transB=1))
    graph = helper.make_graph(
        nodes, "efficientnet-lite0",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, size, size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
