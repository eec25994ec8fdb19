"""Times ONNX Runtime on request: a line `batch seconds` in, a line of JSON out. Idle threads do not spin meanwhile."""
import json
import sys
import time

import numpy as np
import onnxruntime

path, threads = sys.argv[1], int(sys.argv[2])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
for line in sys.stdin:
    batch, seconds = line.split()
    x = np.random.default_rng(0).standard_normal((int(batch), 3, 224, 224), dtype=np.float32)
    for _ in range(3):
        session.run(None, {"input": x})
    times, end = [], time.perf_counter() + float(seconds)
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        session.run(None, {"input": x})
        times.append(time.perf_counter() - start)
    print(json.dumps({"median_ms": 1e3 * float(np.median(times)),
                      "images_per_second": int(batch) * len(times) / sum(times)}), flush=True)
