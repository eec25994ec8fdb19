"""Compares `swiftlet serve` with an access log and every request traced with itself without: requests a second by wrk, in turn, round after round."""
import functools
import http.server
import multiprocessing
import os

# First: it finds what lies beside the engines' comparison.
from with_itself import compare_precisions, parse_arguments

from figures import medians, print_table, ratios, spread_text


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


def report(arguments, precision, rounds):
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
    arguments = parse_arguments("compare-watching", __doc__)
    ours, theirs = multiprocessing.Pipe()
    collector = multiprocessing.Process(target=collect, args=(theirs,), daemon=True)
    collector.start()
    endpoint = f"http://127.0.0.1:{ours.recv()}/v1/traces"

    def flags(scratch):
        return {"off": (), "on": ("--access-log", os.path.join(scratch, "access.log"), "--otlp-endpoint", endpoint)}

    compare_precisions(arguments, flags, functools.partial(report, arguments))
    collector.terminate()


if __name__ == "__main__":
    main()
