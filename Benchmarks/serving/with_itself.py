"""What the comparisons of `swiftlet serve` with itself have in common: arguments, photos, and servers that run in turn."""
import argparse
import os
import resource
import sys
import tempfile

# Of the engines' comparison.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from closed_loop import WARM_UP_SECONDS, closed_loop
from servers import OURS, ROOT, running


def parse_arguments(program, description):
    beside = os.path.join(ROOT, "..", "shared", "images")
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--precisions", default="fp32,int8", help="separated by commas")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each run")
    parser.add_argument("--photos", default=beside if os.path.isdir(beside) else
                        os.path.join(ROOT, "Tests", "Fixtures", "photo"), help="a directory of JPEG files")
    parser.add_argument("--photo-limit", type=int, default=64)
    parser.add_argument("--swiftlet", default=os.path.join(ROOT, ".build", "release", "swiftlet"))
    return parser.parse_args()


def compare_precisions(arguments, flags_in, report):
    """`flags_in(scratch)`: the flags of each variant by its label. `report(precision, rounds)`: what to print of the figures of each
    variant's rounds, which take turns at being first."""
    photos = [os.path.join(arguments.photos, name) for name in sorted(os.listdir(arguments.photos))
              if name.lower().endswith((".jpg", ".jpeg"))][:arguments.photo_limit]
    with open(photos[0], "rb") as file:
        first_photo = file.read()
    arguments.swiftlet, arguments.peer_models = os.path.abspath(arguments.swiftlet), {}
    with tempfile.TemporaryDirectory() as scratch:
        arguments.scratch = scratch
        variants = flags_in(scratch)
        for precision in arguments.precisions.split(","):
            if precision not in OURS:
                raise SystemExit(f"{precision} is none of {', '.join(OURS)}")
            report(precision, in_turn(arguments, precision, photos, first_photo, variants))


def in_turn(arguments, precision, photos, first_photo, variants):
    rounds = {label: [] for label in variants}
    for number in range(arguments.rounds):
        for label in list(variants) if number % 2 == 0 else reversed(list(variants)):
            with running("swiftlet", precision, first_photo, arguments, variants[label]) as server:
                closed_loop(server, photos, arguments.connections, WARM_UP_SECONDS)
                before = children_seconds()
                figures = closed_loop(server, photos, arguments.connections, arguments.seconds)
                figures["client_ms_each"] = 1e3 * (children_seconds() - before) / max(1, figures["requests"])
                rounds[label].append(figures)
    return rounds


def children_seconds():
    """CPU time of wrk, which by TLS encrypts what the server decrypts, on the same cores."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
