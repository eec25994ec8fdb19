"""Checkpoints for variants without ImageNet weights at hand: seeded, and scaled so that activations keep their size.

Speed does not depend on the values (but for denormals and infinities, which these do not give), and agreement of the
engines shows on any weights whose logits depend on the picture.
"""
import os

import numpy as np
from safetensors.numpy import save_file

from variants import VARIANTS, layers

# Of convolution weights, over 1 / sqrt(inputs): makes up for what SiLU and the gates take away.
GAIN = {"efficientnet_b0": 1.43, "efficientnet_b4": 1.33, "efficientnet_v2_s": 1.14}


def write_synthetic_weights(variant_name, path):
    """In torchvision's names, as `swiftlet infer --weights` and `write_onnx` read them."""
    random = np.random.default_rng(1)
    variant, tensors = VARIANTS[variant_name], {}
    stem, blocks, head, classifier = layers(variant)
    for layer in [stem] + [layer for parts in blocks for layer in parts.values()] + [head, classifier]:
        channels, fan_in = layer.shape[0], np.prod(layer.shape[1:])
        gain = GAIN[variant_name] if layer.norm else 1
        tensors[layer.weight + ".weight"] = random.standard_normal(layer.shape) * gain / np.sqrt(fan_in)
        if layer.norm is None:
            tensors[layer.weight + ".bias"] = 0.1 * random.standard_normal(channels)
            continue
        tensors[layer.norm + ".weight"] = random.uniform(0.9, 1.1, channels)
        tensors[layer.norm + ".bias"] = 0.1 * random.standard_normal(channels)
        tensors[layer.norm + ".running_mean"] = 0.1 * random.standard_normal(channels)
        tensors[layer.norm + ".running_var"] = random.uniform(0.5, 1.5, channels)
    save_file({name: tensor.astype(np.float32) for name, tensor in tensors.items()}, path + ".part")
    os.replace(path + ".part", path)
