"""What the workers of all engines have in common: one process an engine and setting, which answers lines with lines.

    worker.py MODEL --threads 2 --streams 1 --precision fp32

    infer IN.npy OUT.npy   computes the logits of all images in the file, one batch, and answers {}
    warm BATCH SECONDS     prepares batches of that many images, computes for so long, and answers {}
    time SECONDS           computes for so long and answers {"median_ms": …, "images_per_second": …}

An engine has `logits(x)`, which gives the answers, and `prepared(x)`, which gives a function that computes the batch x
once. With several streams that function may return before the batch is done, as long as it waits when all are busy.
"""
import argparse
import ctypes
import json
import os
import platform
import statistics
import sys
import time

import numpy as np

LEAST_BATCHES = 3
# Engines print to standard output, MNN as soon as it is imported: what they print is no answer. So import this first.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def flush_denormals():
    """For this thread and those that it starts: denormals, which MNN meets in lanes that it pads, slow it down."""
    if platform.machine() != "x86_64":
        return
    library, environment = ctypes.CDLL("libm.so.6"), (ctypes.c_uint32 * 8)()
    library.fegetenv(environment)
    environment[7] |= 0x8040  # MXCSR: flush to zero, denormals are zero
    library.fesetenv(environment)


def serve(engine_class):
    flush_denormals()
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--size", type=int, default=224)
    arguments = parser.parse_args()
    engine = engine_class(arguments)
    for line in sys.stdin:
        command, *words = line.split()
        answer = {}
        if command == "infer":
            np.save(words[1], engine.logits(np.load(words[0])))
        elif command == "warm":
            batch = int(words[0])
            x = np.random.default_rng(0).standard_normal((batch, 3, arguments.size, arguments.size), dtype=np.float32)
            compute = engine.prepared(x)
            measure(compute, float(words[1]))
        else:
            times, elapsed = measure(compute, float(words[0]))
            answer = {"median_ms": 1e3 * statistics.median(times), "images_per_second": batch * len(times) / elapsed}
        print(json.dumps(answer), file=ANSWERS, flush=True)


def measure(compute, seconds):
    times, begin = [], time.perf_counter()
    now = begin
    while now < begin + seconds or len(times) < LEAST_BATCHES:
        compute()
        before, now = now, time.perf_counter()
        times.append(now - before)
    return times, now - begin
