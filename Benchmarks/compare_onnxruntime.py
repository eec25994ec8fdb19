"""Compares `swiftlet bench` with ONNX Runtime on EfficientNet-Lite0: same weights, same threads, interleaved in one run.

First the logits of both are compared on one input; then each case is timed in turn, round after round, and the medians
over the rounds are printed with their ratio. Each engine runs in a process of its own: ONNX Runtime's is started for
each measurement, so that its spinning threads are gone while Swiftlet is timed.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime

from lite_onnx import write_lite0

HERE = os.path.dirname(os.path.abspath(__file__))
WEIGHTS = os.path.join(HERE, "..", "models", "efficientnet-lite0", "1", "model.safetensors")


def check_same_answers(swiftlet, onnx_path, directory):
    x = np.random.default_rng(1).standard_normal((2, 3, 224, 224), dtype=np.float32)
    np.save(os.path.join(directory, "x.npy"), x)
    subprocess.run([swiftlet, "infer", "--weights", WEIGHTS, "--architecture", "efficientnet_lite0", "--input",
                    os.path.join(directory, "x.npy"), "--output", os.path.join(directory, "y.npy")], check=True)
    ours = np.load(os.path.join(directory, "y.npy"))
    theirs = onnxruntime.InferenceSession(onnx_path, providers=["CPUExecutionProvider"]).run(None, {"input": x})[0]
    error = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    print(f"largest difference of the logits, relative: {error:.1e}")
    if not error < 1e-4:
        sys.exit("the engines disagree")


def time_onnxruntime(onnx_path, threads, batch, seconds):
    worker = subprocess.run([sys.executable, os.path.join(HERE, "onnxruntime_worker.py"), onnx_path, str(threads)],
                            input=f"{batch} {seconds}\n", stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(worker.stdout)


def time_swiftlet(swiftlet, threads, batch, workers, seconds):
    out = subprocess.run([swiftlet, "bench", "--model", "efficientnet-lite0", "--threads", str(threads), "--batch",
                          str(batch), "--workers", str(workers), "--seconds", str(seconds), "--format", "json"],
                         stdout=subprocess.PIPE, check=True, text=True, cwd=os.path.join(HERE, ".."))
    return json.loads(out.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swiftlet", default=os.path.join(HERE, "..", ".build", "release", "swiftlet"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    arguments = parser.parse_args()
    swiftlet = os.path.abspath(arguments.swiftlet)
    # (what, threads, ours: batch, workers; theirs: batch; the figure compared)
    cases = [("latency, 1 thread", 1, (1, 1), 1, "median_ms"), ("latency, 2 threads", 2, (1, 1), 1, "median_ms"),
             ("throughput, 2 threads", 2, (1, 2), 8, "images_per_second")]
    with tempfile.TemporaryDirectory() as directory:
        onnx_path = os.path.join(directory, "lite0.onnx")
        write_lite0(WEIGHTS, onnx_path)
        check_same_answers(swiftlet, onnx_path, directory)
        figures = {case[0]: ([], [], []) for case in cases}
        for _ in range(arguments.rounds):
            for what, threads, (batch, workers), their_batch, key in cases:
                ours = time_swiftlet(swiftlet, threads, batch, workers, arguments.seconds)[key]
                theirs = time_onnxruntime(onnx_path, threads, their_batch, arguments.seconds)[key]
                figures[what][0].append(ours)
                figures[what][1].append(theirs)
                figures[what][2].append(theirs / ours if key == "median_ms" else ours / theirs)
    print(f"onnxruntime {onnxruntime.__version__}, {arguments.rounds} rounds of {arguments.seconds:g} s, medians")
    print(f"{'':24}{'Swiftlet':>12}{'ONNX Runtime':>14}{'faster by':>11}   spread")
    for what, _, _, _, key in cases:
        ours, theirs, ratios = figures[what]
        unit = "ms" if key == "median_ms" else "/s"
        print(f"{what:24}{statistics.median(ours):>9.2f} {unit}{statistics.median(theirs):>11.2f} {unit}"
              f"{statistics.median(ratios):>10.2f}x   {min(ratios):.2f}–{max(ratios):.2f}")


if __name__ == "__main__":
    main()
