"""Compares `swiftlet serve` with an access log and every request traced with itself without: requests a second by wrk, in turn, round after round."""
import argparse
import http.server
import multiprocessing
import os
import sys
import tempfile

# Of the engines' comparison.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from closed_loop import WARM_UP_SECONDS, closed_loop
from figures import medians, print_table, ratios, spread_text
from servers import OURS, ROOT, running


def parse_arguments():
    beside = os.path.join(ROOT, "..", "shared", "images")
    parser = argparse.ArgumentParser(prog="compare-watching", description=__doc__)
    parser.add_argument("--precisions", default="fp32,int8", help="separated by commas")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each run")
    parser.add_argument("--photos", default=beside if os.path.isdir(beside) else
                        os.path.join(ROOT, "Tests", "Fixtures", "photo"), help="a directory of JPEG files")
    parser.add_argument("--photo-limit", type=int, default=64)
    parser.add_argument("--swiftlet", default=os.path.join(ROOT, ".build", "release", "swiftlet"))
    return parser.parse_args()


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes spans, and does nothing with them."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def collect(port):
    server = http.server.HTTPServer(("127.0.0.1", 0), Collector)
    port.send(server.server_port)
    server.serve_forever()


def compare(arguments, precision, photos, first_photo, variants):
    rounds = {label: [] for label in variants}
    for number in range(arguments.rounds):
        for label in list(variants) if number % 2 == 0 else reversed(list(variants)):
            with running("swiftlet", precision, first_photo, arguments, variants[label]) as server:
                closed_loop(server, photos, arguments.connections, WARM_UP_SECONDS)
                rounds[label].append(closed_loop(server, photos, arguments.connections, arguments.seconds))
    rows = [[label, figures["rate"], figures["p50_ms"], figures["p99_ms"], figures["cpu_ms_each"],
             f"{figures['errors']:.0f}", f"{figures['megabytes']:.0f}", f"{figures['others']:.0%}"]
            for label, figures in ((label, medians(of)) for label, of in rounds.items())]
    print_table(f"{precision}, {arguments.connections} connections, {arguments.rounds} rounds of {arguments.seconds} s, "
                "medians", ["", "requests/s", "p50 ms", "p99 ms", "CPU ms each", "errors", "resident MB", "others"], rows)
    for figure, turned in (("rate", False), ("cpu_ms_each", True)):
        of = {label: [figures[figure] for figures in rounds[label]] for label in rounds}
        ratio = ratios(of["off"], of["on"]) if turned else ratios(of["on"], of["off"])
        print(f"{precision}: on over off by {'CPU time' if turned else 'rate'} {spread_text(ratio, 3)}", flush=True)


def main():
    arguments = parse_arguments()
    photos = [os.path.join(arguments.photos, name) for name in sorted(os.listdir(arguments.photos))
              if name.lower().endswith((".jpg", ".jpeg"))][:arguments.photo_limit]
    with open(photos[0], "rb") as file:
        first_photo = file.read()
    arguments.swiftlet, arguments.peer_models = os.path.abspath(arguments.swiftlet), {}
    ours, theirs = multiprocessing.Pipe()
    collector = multiprocessing.Process(target=collect, args=(theirs,), daemon=True)
    collector.start()
    with tempfile.TemporaryDirectory() as scratch:
        arguments.scratch = scratch
        on = ("--access-log", os.path.join(scratch, "access.log"),
              "--otlp-endpoint", f"http://127.0.0.1:{ours.recv()}/v1/traces")
        for precision in arguments.precisions.split(","):
            if precision not in OURS:
                raise SystemExit(f"{precision} is none of {', '.join(OURS)}")
            compare(arguments, precision, photos, first_photo, {"off": (), "on": on})
    collector.terminate()


if __name__ == "__main__":
    main()
