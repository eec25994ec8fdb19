"""Writes an EfficientNet checkpoint as an ONNX file with the batch norms folded, as every exporter for inference does.

    write_onnx("efficientnet_lite0", "models/efficientnet-lite0/1/model.safetensors", "lite0.onnx")
"""
import argparse

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from variants import VARIANTS, layers


def write_onnx(variant_name, weights_path, path, batch=None):
    """One input `input` of [N, 3, size, size] (N is free where `batch` is None), one output `logits` of [N, 1000]."""
    onnx.save(make_model(variant_name, load_file(weights_path), batch), path)


def make_model(variant_name, weights, batch=None):
    variant = VARIANTS[variant_name]
    writer = GraphWriter(variant, weights)
    stem, blocks, head, classifier = layers(variant)
    x = writer.activated(writer.convolution("input", stem))
    for block, parts in zip(variant.blocks, blocks):
        x = writer.block(x, block, parts)
    x = writer.activated(writer.convolution(x, head))
    x = writer.node("GlobalAveragePool", "pooled", [x])
    x = writer.node("Flatten", "features", [x])
    writer.node("Gemm", "logits", [x] + writer.parameters(classifier), transB=1)
    size = variant.size
    graph = helper.make_graph(
        writer.nodes, variant_name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch or "N", 3, size, size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch or "N", 1000])], writer.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model


class GraphWriter:
    """Collects nodes and constants; a node is called as its one output."""

    def __init__(self, variant, weights):
        self.variant, self.weights = variant, weights
        self.nodes, self.constants = [], []
        self.size = {"input": variant.size}
        if variant.is_lite:
            self.constant("zero", np.float32(0))
            self.constant("six", np.float32(6))

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind, name, inputs, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        self.size[name] = self.size.get(inputs[0])
        return name

    def parameters(self, layer):
        """The constants of a layer's weight and bias, with its batch norm folded into them."""
        weight = self.weights[layer.weight + ".weight"].astype(np.float64)
        assert weight.shape == layer.shape, f"{layer.weight} is {weight.shape}, not {layer.shape}"
        if layer.norm is None:
            bias = self.weights[layer.weight + ".bias"]
        else:
            gamma, beta, mean, variance = (self.weights[f"{layer.norm}.{leaf}"].astype(np.float64)
                                           for leaf in ("weight", "bias", "running_mean", "running_var"))
            scale = gamma / np.sqrt(variance + self.variant.epsilon)
            weight, bias = weight * scale[:, None, None, None], beta - mean * scale
        return [self.constant(layer.weight + ".w", weight.astype(np.float32)),
                self.constant(layer.weight + ".b", bias.astype(np.float32))]

    def convolution(self, x, layer):
        kernel, size = layer.shape[2], self.size[x]
        output = -(-size // layer.stride)
        before = after = (kernel - 1) // 2
        if self.variant.is_lite:
            total = max((output - 1) * layer.stride + kernel - size, 0)
            before, after = total // 2, total - total // 2
        name = self.node("Conv", layer.weight, [x] + self.parameters(layer), kernel_shape=[kernel] * 2,
                         strides=[layer.stride] * 2, pads=[before, before, after, after], group=layer.groups)
        self.size[name] = output
        return name

    def activated(self, x):
        if self.variant.is_lite:
            return self.node("Clip", x + ".clip", [x, "zero", "six"])
        return self.node("Mul", x + ".silu", [x, self.node("Sigmoid", x + ".sigmoid", [x])])

    def gated(self, x, reduce, excite):
        """Squeeze-and-excite."""
        pooled = self.node("GlobalAveragePool", x + ".mean", [x])
        self.size[pooled] = 1
        gate = self.convolution(self.activated(self.convolution(pooled, reduce)), excite)
        gate = self.node("Sigmoid", gate + ".sigmoid", [gate])
        return self.node("Mul", x + ".gated", [x, gate])

    def block(self, x, block, parts):
        skip = x
        for part in ("expand", "fused", "depthwise"):
            if part in parts:
                x = self.activated(self.convolution(x, parts[part]))
        if "reduce" in parts:
            x = self.gated(x, parts["reduce"], parts["excite"])
        if "project" in parts:
            x = self.convolution(x, parts["project"])
        if block.stride == 1 and block.inputs == block.outputs:
            x = self.node("Add", x + ".add", [x, skip])
        return x


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant", choices=list(VARIANTS))
    parser.add_argument("weights", help="safetensors; EfficientNet-PyTorch's names for Lite, else torchvision's")
    parser.add_argument("output")
    arguments = parser.parse_args()
    write_onnx(arguments.variant, arguments.weights, arguments.output)


if __name__ == "__main__":
    main()
