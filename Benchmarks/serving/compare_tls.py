"""Compares `swiftlet serve` with TLS with itself without, over connections that are kept: requests a second by wrk, in turn, round after round."""
import functools
import os
import subprocess

# First: it finds what lies beside the engines' comparison.
from with_itself import compare_precisions, parse_arguments

from figures import medians, print_table, ratios, spread_text


def make_certificate(directory):
    certificate, key = (os.path.join(directory, name) for name in ("certificate.pem", "key.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
         "/CN=localhost", "-days", "2", "-keyout", key, "-out", certificate],
        check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return "--tls-certificate", certificate, "--tls-key", key


def report(arguments, precision, rounds):
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
    arguments = parse_arguments("compare-tls", __doc__)
    compare_precisions(
        arguments, lambda scratch: {"plain": (), "TLS": make_certificate(scratch)}, functools.partial(report, arguments))


if __name__ == "__main__":
    main()
