"""What a lone request of ours costs over the bare engine call, and how long servers take to be ready."""
import json
import re
import statistics
import subprocess
from collections import defaultdict

from closed_loop import closed_loop
from figures import print_table, spread, spread_text
from servers import OURS, ROOT, running


def engine_milliseconds(arguments, precision):
    out = subprocess.run([arguments.swiftlet, "bench", "--model", OURS[precision], "--seconds",
                          str(arguments.seconds), "--format", "json"], cwd=ROOT, stdout=subprocess.PIPE, check=True,
                         text=True, timeout=arguments.seconds + 60)
    return json.loads(out.stdout)["median_ms"]


def stage_milliseconds(server, photos):
    """Medians of the stages that `Server-Timing` names, over requests that are alone in the server."""
    stages = defaultdict(list)
    for photo in photos:
        for name, duration in re.findall(r"(\w+);dur=([0-9.]+)", server.classify(photo)[1]):
            stages[name].append(float(duration))
    return {name: statistics.median(durations) for name, durations in stages.items()}


def measure_lone(arguments, precision):
    engine, request, ready, stages = [], [], [], []
    for _ in range(arguments.rounds):
        engine.append(engine_milliseconds(arguments, precision))
        with running("swiftlet", precision, arguments.photo_bytes[0], arguments) as server:
            ready.append(1e3 * server.seconds_to_ready)
            request.append(closed_loop(server, arguments.photos, 1, arguments.seconds)["p50_ms"])
            stages.append(stage_milliseconds(server, arguments.photo_bytes))
    return {"engine_ms": spread(engine), "request_ms": spread(request), "first_answer_ms": spread(ready),
            "over_engine_ms": spread([a - b for a, b in zip(request, engine)]),
            "stages_ms": {name: statistics.median(of[name] for of in stages) for name in stages[0]}}


def print_lone(result, title):
    rows = [[what, spread_text(result[key])] for what, key in (
        ("bare engine call, all threads", "engine_ms"), ("lone request, p50", "request_ms"),
        ("over the engine call", "over_engine_ms"), ("start to first answer", "first_answer_ms"))]
    rows += [[f"stage {name}", f"{value:.2f}"] for name, value in result["stages_ms"].items()]
    print_table(title, ["one request", "ms, median (range)"], rows)
