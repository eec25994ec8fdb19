"""Compares int8 models of the same weights, calibrated on the same pictures, with their fp32 original: ours, ONNX
Runtime's and NNCF's (OpenVINO), each with every method that its tool has for convolutional networks.

All get the same pixels. Agreement (of the first guess) and mean KL divergence (fp32 from int8, of the softmax outputs)
are with the fp32 model as ONNX Runtime computes it. Exits with 1 where our int8 model misses a bound.
"""
import argparse
import contextlib
import csv
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass

import numpy as np

from efficientnet_onnx import write_onnx
from peer_int8 import quantise_for_onnxruntime, quantise_for_openvino
from pictures import picture_paths, prepared_batch

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REPOSITORIES = [os.path.join(ROOT, "models"), os.path.join(ROOT, ".build-models")]
MODELS = ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"]
# What our int8 model may lose against fp32, beside being no worse than the best peer.
MOST_LOST = 2
LEAST_AGREEMENT = 0.975
BATCH = 10


@dataclass
class Row:
    """One model on the evaluation pictures."""
    name: str
    top1: int
    top5: int
    agreement: float
    kl: float
    bytes: int


def repository_of(name):
    """The directory of the repository that has the model; None where none has."""
    return next((path for path in REPOSITORIES if os.path.isdir(os.path.join(path, name))), None)


def model_file(name, file):
    return os.path.join(repository_of(name), name, "1", file)


def onnxruntime_logits(path, x):
    import onnxruntime
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"input": x[first:first + BATCH]})[0]
                           for first in range(0, len(x), BATCH)])


def openvino_logits(path, x):
    import openvino
    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.concatenate([model(x[first:first + BATCH])[0] for first in range(0, len(x), BATCH)])


def our_logits(swiftlet, name, pixels, directory):
    """Shapes: `pixels` [N, height, width, 3] u8."""
    source, target = os.path.join(directory, "pixels.npy"), os.path.join(directory, "logits.npy")
    np.save(source, pixels.astype(np.float32))
    subprocess.run([swiftlet, "infer", "--models", repository_of(name), "--model", name, "--input", source, "--output",
                    target], check=True)
    return np.load(target)


def pixels_of(x, description):
    """The bytes that normalised pictures were. Shapes: [N, 3, height, width] f32 to [N, height, width, 3] u8."""
    mean, deviation = (np.float64(description[key]).reshape(3, 1, 1) for key in ("mean", "std"))
    return np.rint((x * deviation + mean) * 255).astype(np.uint8).transpose(0, 2, 3, 1)


def log_softmax(logits):
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def judge(name, logits, reference, classes, path):
    best = np.argsort(-logits, axis=1, kind="stable")[:, :5]
    expected, found = log_softmax(reference), log_softmax(logits)
    return Row(name, int((best[:, 0] == classes).sum()), int((best == classes[:, None]).any(1).sum()),
               float((best[:, 0] == reference.argmax(1)).mean()),
               float((np.exp(expected) * (expected - found)).sum(1).mean()), os.path.getsize(path))


def peer_rows(onnx_path, calibration, x, reference, classes, directory):
    for method in ("MinMax", "Entropy", "Percentile"):
        path = os.path.join(directory, f"{method}.onnx")
        quantise_for_onnxruntime(onnx_path, calibration, path, calibration=method)
        yield judge(f"ONNX Runtime int8, {method}", onnxruntime_logits(path, x), reference, classes, path)
    for preset in ("performance", "mixed"):
        for is_accurate in (False, True):
            path = os.path.join(directory, f"{preset}-{is_accurate}.xml")
            quantise_for_openvino(onnx_path, calibration, path, preset, is_accurate)
            name = f"NNCF int8, {preset}" + (", accurate bias correction" if is_accurate else "")
            yield judge(name, openvino_logits(path, x), reference, classes, path.removesuffix("xml") + "bin")


def compare(name, swiftlet, table, calibration_paths):
    """Rows of the fp32 original, of the peers, and of ours (None where there is no such int8 model)."""
    with open(model_file(name, "model.json"), encoding="utf-8") as file:
        description = json.load(file)
    with open(table, newline="", encoding="utf-8") as file:
        items = list(csv.DictReader(file, delimiter="\t"))
    classes = np.array([int(item["class"]) for item in items])
    x = prepared_batch([os.path.join(os.path.dirname(table), item["file"]) for item in items], description)
    pixels = pixels_of(x, description)
    weights = model_file(name, "model.safetensors")
    with tempfile.TemporaryDirectory() as directory:
        onnx_path = os.path.join(directory, "fp32.onnx")
        write_onnx(description["architecture"], weights, onnx_path)
        reference = onnxruntime_logits(onnx_path, x)
        original = judge("fp32", reference, reference, classes, weights)
        ours_fp32 = judge("Swiftlet fp32", our_logits(swiftlet, name, pixels, directory), reference, classes, weights)
        ours = None
        if repository_of(name + "-int8"):
            ours = judge("Swiftlet int8", our_logits(swiftlet, name + "-int8", pixels, directory), reference, classes,
                         model_file(name + "-int8", "model.safetensors"))
        calibration = prepared_batch(calibration_paths, description)
        peers = []
        # The peers' tools report their progress on standard output.
        with contextlib.redirect_stdout(sys.stderr):
            for row in peer_rows(onnx_path, calibration, x, reference, classes, directory):
                peers.append(row)
                print(f"{name}: {row.name} done")
    return [original, ours_fp32], peers, ours, len(items)


def shortcomings(original, peers, ours):
    """Where our int8 model misses a bound, in words."""
    agreement, kl = max(row.agreement for row in peers), min(row.kl for row in peers)
    if ours.top1 < original.top1 - MOST_LOST:
        yield f"{original.top1 - ours.top1} pictures fewer right than in fp32; {MOST_LOST} may be lost"
    if ours.agreement < max(agreement, LEAST_AGREEMENT):
        yield (f"agreement {ours.agreement:.1%}, but the best peer's is {agreement:.1%}, and {LEAST_AGREEMENT:.1%} is "
               "due")
    if ours.kl > kl:
        yield f"KL divergence {ours.kl:.5f}, but the best peer's is {kl:.5f}"


def print_table(name, rows, count):
    print(f"\n{name}, {count} pictures")
    print(f"{'':46}{'top-1':>7}{'top-5':>7}{'agreement':>11}{'KL':>10}{'weights':>10}")
    for row in rows:
        print(f"{row.name:46}{row.top1:>7}{row.top5:>7}{row.agreement:>11.1%}{row.kl:>10.5f}{row.bytes / 1e6:>7.2f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", help="pictures and classes to evaluate on, tab-separated: file, class")
    parser.add_argument("--models", nargs="+", default=MODELS, help="all Lite models without it")
    parser.add_argument("--calibration", default=os.path.join(ROOT, ".build-calibration"))
    parser.add_argument("--swiftlet", default=os.path.join(ROOT, ".build", "release", "swiftlet"))
    parser.add_argument("--json", help="a file to write all figures to")
    arguments = parser.parse_args()
    calibration = picture_paths(arguments.calibration)
    if not calibration:
        sys.exit(f"compare-quantization: no pictures in {arguments.calibration}")
    print(f"calibrated on {len(calibration)} pictures")
    report, is_short = {}, False
    for name in arguments.models:
        if not repository_of(name):
            sys.exit(f"compare-quantization: no {name} in {' or '.join(REPOSITORIES)}")
        originals, peers, ours, count = compare(name, arguments.swiftlet, arguments.table, calibration)
        rows = originals + ([ours] if ours else []) + peers
        print_table(name, rows, count)
        report[name] = [asdict(row) for row in rows]
        if ours is None:
            print(f"{name}-int8 is in no repository: ours is left out")
            continue
        misses = list(shortcomings(originals[0], peers, ours))
        print("\n".join(f"MISSED: {miss}" for miss in misses) or "no bound missed", flush=True)
        is_short = is_short or bool(misses)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=2)
    sys.exit(1 if is_short else 0)


if __name__ == "__main__":
    main()
