"""The EfficientNets that engines are compared on: their blocks, and what checkpoints call their tensors."""
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """One MBConv, or a fused one (a full convolution instead of expansion and depthwise)."""
    is_fused: bool
    kernel: int
    stride: int
    inputs: int
    expanded: int
    outputs: int
    squeeze: int  # channels of the squeeze-and-excite bottleneck; 0 without one
    stage: int
    index_in_stage: int


@dataclass(frozen=True)
class Variant:
    name: str
    size: int  # height and width of the input
    stem: int
    head: int
    blocks: tuple
    is_lite: bool  # ReLU6 and TensorFlow's padding instead of SiLU and symmetric padding
    epsilon: float  # what batch norms add to the variance


# [is fused, expansion, channels, repeats, stride, kernel]. Source: arXiv 1905.11946, table 1; 2104.00298, table 4.
B_STAGES = [(False, 1, 16, 1, 1, 3), (False, 6, 24, 2, 2, 3), (False, 6, 40, 2, 2, 5), (False, 6, 80, 3, 2, 3),
            (False, 6, 112, 3, 1, 5), (False, 6, 192, 4, 2, 5), (False, 6, 320, 1, 1, 3)]
V2_S_STAGES = [(True, 1, 24, 2, 1, 3), (True, 4, 48, 4, 2, 3), (True, 4, 64, 4, 2, 3), (False, 4, 128, 6, 2, 3),
               (False, 6, 160, 9, 1, 3), (False, 6, 256, 15, 2, 3)]


def scaled(channels, width):
    """To a multiple of 8, and not below 90 % of the exact product."""
    rounded = max(8, int(channels * width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels * width else rounded


def variant(name, stages, size, stem, width=1.0, depth=1.0, is_lite=False, epsilon=1e-3):
    stem = stem if is_lite else scaled(stem, width)
    head = 1280 if is_lite else scaled(1280, width)
    blocks, inputs = [], stem
    for stage, (is_fused, expansion, channels, repeats, stride, kernel) in enumerate(stages):
        is_kept = is_lite and stage in (0, len(stages) - 1)
        outputs = scaled(channels, width)
        for index in range(repeats if is_kept else math.ceil(repeats * depth)):
            squeeze = 0 if is_lite or is_fused else max(1, inputs // 4)
            blocks.append(Block(is_fused, kernel, stride if index == 0 else 1, inputs, inputs * expansion, outputs,
                                squeeze, stage, index))
            inputs = outputs
    return Variant(name, size, stem, head, tuple(blocks), is_lite, epsilon)


VARIANTS = {item.name: item for item in [
    variant("efficientnet_lite0", B_STAGES, 224, 32, is_lite=True),
    variant("efficientnet_lite1", B_STAGES, 240, 32, 1.0, 1.1, is_lite=True),
    variant("efficientnet_lite2", B_STAGES, 260, 32, 1.1, 1.2, is_lite=True),
    variant("efficientnet_b0", B_STAGES, 224, 32, epsilon=1e-5),
    variant("efficientnet_b4", B_STAGES, 380, 32, 1.4, 1.8, epsilon=1e-5),
    variant("efficientnet_v2_s", V2_S_STAGES, 384, 24),
]}


@dataclass(frozen=True)
class Layer:
    """A convolution or linear layer, with the names of its weight and of its batch norm (None: it has a bias)."""
    weight: str
    norm: str
    shape: tuple  # OIHW; [out, in] of the classifier
    stride: int = 1
    groups: int = 1


def layers(variant):
    """Stem, a dictionary of layers for each block, head and classifier, in EfficientNet-PyTorch's names for Lite and
    torchvision's for the others."""
    convolution = lite_convolution if variant.is_lite else torchvision_convolution
    stem = Layer(*(("_conv_stem", "_bn0") if variant.is_lite else ("features.0.0", "features.0.1")),
                 (variant.stem, 3, 3, 3), 2)
    blocks = []
    for number, block in enumerate(variant.blocks):
        parts = {}
        if block.is_fused:
            outputs = block.outputs if block.expanded == block.inputs else block.expanded
            parts["fused"] = (outputs, block.inputs, block.kernel, block.stride, 1)
        else:
            if block.expanded != block.inputs:
                parts["expand"] = (block.expanded, block.inputs, 1, 1, 1)
            parts["depthwise"] = (block.expanded, 1, block.kernel, block.stride, block.expanded)
            if block.squeeze:
                parts["reduce"] = (block.squeeze, block.expanded, 1, 1, 1)
                parts["excite"] = (block.expanded, block.squeeze, 1, 1, 1)
        if not block.is_fused or block.expanded != block.inputs:
            parts["project"] = (block.outputs, block.expanded, 1, 1, 1)
        blocks.append({
            part: Layer(*convolution(number, block, part), (outputs, inputs, kernel, kernel), stride, groups)
            for part, (outputs, inputs, kernel, stride, groups) in parts.items()})
    last = variant.blocks[-1]
    index = last.stage + 2
    head = Layer(*(("_conv_head", "_bn1") if variant.is_lite else (f"features.{index}.0", f"features.{index}.1")),
                 (variant.head, last.outputs, 1, 1))
    return stem, blocks, head, Layer("_fc" if variant.is_lite else "classifier.1", None, (1000, variant.head))


def lite_convolution(number, block, part):
    convolution, norm = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1"),
                         "project": ("_project_conv", "_bn2")}[part]
    return f"_blocks.{number}.{convolution}", f"_blocks.{number}.{norm}"


def torchvision_convolution(number, block, part):
    prefix = f"features.{block.stage + 1}.{block.index_in_stage}.block"
    if block.is_fused:
        place = {"fused": 0, "project": 1}[part]
    else:
        order = ["expand"] * (block.expanded != block.inputs) + ["depthwise", "squeeze", "project"]
        if part in ("reduce", "excite"):
            return f"{prefix}.{order.index('squeeze')}.{'fc1' if part == 'reduce' else 'fc2'}", None
        place = order.index(part)
    return f"{prefix}.{place}.0", f"{prefix}.{place}.1"
