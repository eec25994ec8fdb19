"""Compares `swiftlet serve` with TLS with itself without, over connections that are kept: requests a second by wrk, in turn, round after round."""
import argparse
import os
import resource
import subprocess
import sys
import tempfile

# Of the engines' comparison.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from closed_loop import WARM_UP_SECONDS, closed_loop
from figures import medians, print_table, ratios, spread_text
from servers import OURS, ROOT, running


def parse_arguments():
    beside = os.path.join(ROOT, "..", "shared", "images")
    parser = argparse.ArgumentParser(prog="compare-tls", description=__doc__)
    parser.add_argument("--precisions", default="fp32,int8", help="separated by commas")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each run")
    parser.add_argument("--photos", default=beside if os.path.isdir(beside) else
                        os.path.join(ROOT, "Tests", "Fixtures", "photo"), help="a directory of JPEG files")
    parser.add_argument("--photo-limit", type=int, default=64)
    parser.add_argument("--swiftlet", default=os.path.join(ROOT, ".build", "release", "swiftlet"))
    return parser.parse_args()


def make_certificate(directory):
    certificate, key = (os.path.join(directory, name) for name in ("certificate.pem", "key.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
         "/CN=localhost", "-days", "2", "-keyout", key, "-out", certificate],
        check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return "--tls-certificate", certificate, "--tls-key", key


def children_seconds():
    """CPU time of wrk, which encrypts what the server decrypts, on the same cores."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compare(arguments, precision, photos, first_photo, flags):
    servers = {"plain": (), "TLS": flags}
    rounds = {label: [] for label in servers}
    for number in range(arguments.rounds):
        for label in list(servers) if number % 2 == 0 else reversed(list(servers)):
            with running("swiftlet", precision, first_photo, arguments, servers[label]) as server:
                closed_loop(server, photos, arguments.connections, WARM_UP_SECONDS)
                before = children_seconds()
                figures = closed_loop(server, photos, arguments.connections, arguments.seconds)
                figures["client_ms_each"] = 1e3 * (children_seconds() - before) / max(1, figures["requests"])
                rounds[label].append(figures)
    ratio = ratios(*([figures["rate"] for figures in rounds[label]] for label in ("TLS", "plain")))
    rows = [[label, figures["rate"], figures["p50_ms"], figures["p99_ms"], figures["cpu_ms_each"],
             figures["client_ms_each"], f"{figures['errors']:.0f}", f"{figures['megabytes']:.0f}", f"{figures['others']:.0%}"]
            for label, figures in ((label, medians(of)) for label, of in rounds.items())]
    print_table(f"{precision}, {arguments.connections} connections, {arguments.rounds} rounds of {arguments.seconds} s, "
                "medians", ["", "requests/s", "p50 ms", "p99 ms", "CPU ms each", "wrk's", "errors", "resident MB", "others"], rows)
    # Where others disturb, this tells what the rate would be: on cores that are all busy it is one over the CPU time.
    cost = ratios(*([figures["cpu_ms_each"] + figures["client_ms_each"] for figures in rounds[label]]
                    for label in ("plain", "TLS")))
    print(f"{precision}: TLS over plain {spread_text(ratio, 3)}; by CPU time, wrk's included, {spread_text(cost, 3)}",
          flush=True)


def main():
    arguments = parse_arguments()
    photos = [os.path.join(arguments.photos, name) for name in sorted(os.listdir(arguments.photos))
              if name.lower().endswith((".jpg", ".jpeg"))][:arguments.photo_limit]
    with open(photos[0], "rb") as file:
        first_photo = file.read()
    arguments.swiftlet, arguments.peer_models = os.path.abspath(arguments.swiftlet), {}
    with tempfile.TemporaryDirectory() as scratch:
        arguments.scratch = scratch
        flags = make_certificate(scratch)
        for precision in arguments.precisions.split(","):
            if precision not in OURS:
                raise SystemExit(f"{precision} is none of {', '.join(OURS)}")
            compare(arguments, precision, photos, first_photo, flags)


if __name__ == "__main__":
    main()
