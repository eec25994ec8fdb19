"""Compares `swiftlet serve` with a FastAPI and a mosec server that run ONNX Runtime: a JPEG in, the top 5 out.

Same weights, same preprocessing, same photos, and each server alone on the machine. Parts, all but the soak by default:
  closed    wrk at several connection counts, servers in turn, round after round
  batching  ours with batches of up to 8 beside batches of 1
  open      the highest Poisson rate at which p99 stays within 50 ms, counted from when a request was due
  lone      one request at a time over the bare engine call, its stages, and the start
  mixed     small photos with a tenth of 12-megapixel ones among them
  soak      resident memory over many requests (--soak says how many)
"""
import argparse
import json
import os
import signal
import sys
import time

# Of the engines' comparison.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from closed_loop import measure_batching, measure_closed, print_batching, print_closed
from lone_cost import measure_lone, print_lone
from machine import describe_machine
from mixed_load import measure_mixed, print_mixed
from onnx_files import peer_model_path
from open_loop import measure_open, print_open
from photos import small_photos, write_large_photo
from same_answers import check_same_answers
from servers import NAMES, OURS, ROOT
from soak import measure_soak, print_soak

PARTS = {"closed": (measure_closed, print_closed), "batching": (measure_batching, print_batching),
         "open": (measure_open, print_open), "lone": (measure_lone, print_lone), "mixed": (measure_mixed, print_mixed),
         "soak": (measure_soak, print_soak)}
CALIBRATION_COUNT = 128


def parse_arguments():
    beside = os.path.join(ROOT, "..", "shared", "images")
    scratch = os.path.join(ROOT, ".build-benchmarks-serving", "scratch")
    parser = argparse.ArgumentParser(prog="compare-serving", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--servers", type=names_of(NAMES), default=list(NAMES), help="separated by commas")
    parser.add_argument("--precisions", type=names_of(OURS), default=list(OURS), help="separated by commas")
    parser.add_argument("--connections", type=lambda text: [int(count) for count in text.split(",")],
                        default=[1, 2, 16, 64])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each closed-loop run and engine call")
    parser.add_argument("--requests", type=int, default=2000, help="of each open-loop run")
    parser.add_argument("--rates", type=lambda text: [float(rate) for rate in text.split(",")],
                        help="LOW,HIGH: where the open loop searches; a part of the closed-loop rate without it")
    parser.add_argument("--mixed-rate", type=float, default=40, help="photos a second, large ones included")
    parser.add_argument("--soak", type=int, default=100_000, help="requests of the soak")
    parser.add_argument("--sample-seconds", type=int, default=5, help="between samples of the soak")
    parser.add_argument("--photos", default=beside if os.path.isdir(beside) else
                        os.path.join(ROOT, "Tests", "Fixtures", "photo"), help="a directory of JPEG files")
    parser.add_argument("--photo-limit", type=int, default=64)
    parser.add_argument("--swiftlet", default=os.path.join(ROOT, ".build", "release", "swiftlet"))
    parser.add_argument("--output", default=os.path.join(scratch, "serving.json"),
                        help="JSON; parts measured earlier stay in it")
    parser.add_argument("--quick", action="store_true", help="a look whether all of it works; figures mean little")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    arguments.parts = arguments.parts or [part for part in PARTS if part != "soak"]
    if arguments.quick:
        arguments.rounds, arguments.seconds, arguments.requests, arguments.soak = 1, 1, 200, 500
        arguments.sample_seconds = 1
    arguments.swiftlet, arguments.scratch = os.path.abspath(arguments.swiftlet), scratch
    return arguments


def names_of(known):
    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(known)}")
        return names
    return parse


def cpu_name():
    machine = describe_machine()
    return f"{machine['cores']} cores, {machine['cpu']}, {' '.join(machine['isa'])}"


def prepare(arguments):
    os.makedirs(arguments.scratch, exist_ok=True)
    paths = small_photos(arguments.photos, max(arguments.photo_limit, CALIBRATION_COUNT))
    calibration = [read(path) for path in paths[:CALIBRATION_COUNT]]
    weights = os.path.join(ROOT, "models", "efficientnet-lite0", "1", "model.safetensors")
    arguments.peer_models = {precision: peer_model_path(precision, weights, calibration, arguments.scratch)
                             for precision in arguments.precisions}
    arguments.photos = paths[:arguments.photo_limit]
    arguments.photo_bytes = [read(path) for path in arguments.photos]
    if "mixed" in arguments.parts:
        large = os.path.join(arguments.scratch, "large.jpg")
        write_large_photo(arguments.photos[0], large)
        arguments.large_photo_bytes = [read(large)]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write_result(arguments, precision, part, result):
    document = {}
    if os.path.exists(arguments.output):
        document = json.loads(read(arguments.output))
    document["cpu"] = cpu_name()
    settings = {key: getattr(arguments, key) for key in ("servers", "rounds", "seconds", "requests", "quick")}
    document.setdefault(precision, {})[part] = {
        "measured": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "settings": settings, "result": result}
    with open(arguments.output, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)


def main():
    # So that the servers are ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    arguments = parse_arguments()
    prepare(arguments)
    print(f"{cpu_name()}; {len(arguments.photos)} photos, {sum(map(len, arguments.photo_bytes)) // len(arguments.photos)} "
          "bytes on average", flush=True)
    chosen = arguments.servers
    for precision in arguments.precisions:
        arguments.servers = list(chosen)
        if not os.path.isdir(os.path.join(ROOT, "models", OURS[precision])):
            print(f"{precision}: the repository has no model {OURS[precision]}, so only the peers are measured")
            arguments.servers = [name for name in chosen if name != "swiftlet"]
        write_result(arguments, precision, "same_answers", check_same_answers(arguments, precision))
        for part in arguments.parts:
            if "swiftlet" not in arguments.servers and part in ("batching", "lone", "soak"):
                continue
            measure, show = PARTS[part]
            result = measure(arguments, precision)
            write_result(arguments, precision, part, result)
            show(result, f"{precision}, {arguments.rounds} rounds of {arguments.seconds} s, medians")


if __name__ == "__main__":
    main()
