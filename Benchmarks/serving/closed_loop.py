"""Closed-loop load by wrk: a number of connections that each wait for their answer before they send again."""
import json
import os
import subprocess

from figures import medians, print_table, ratios, spread_text
from quiet import Quiet
from servers import HERE, running

WARM_UP_SECONDS = 1


def start_wrk(server, photos, connections, seconds):
    return subprocess.Popen(
        ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", "--timeout", "30s",
         "--script", os.path.join(HERE, "post.lua"), f"{'https' if server.secure else 'http'}://127.0.0.1:{server.port}",
         "--", server.path, *photos],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def figures_of_wrk(process, timeout):
    try:
        output, _ = process.communicate(timeout=timeout)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise SystemExit(f"wrk failed:\n{output}")
    figures = json.loads(output.strip().splitlines()[-1])
    figures["rate"] = figures["requests"] / figures["seconds"]
    return figures


def closed_loop(server, photos, connections, seconds):
    """Figures of one run, with the server's memory at the end of it and its CPU time for a request."""
    cpu, quiet = server.cpu_seconds(), Quiet(server)
    figures = figures_of_wrk(start_wrk(server, photos, connections, seconds), seconds + 60)
    figures["megabytes"] = server.resident_megabytes()
    figures["cpu_ms_each"] = 1e3 * (server.cpu_seconds() - cpu) / max(1, figures["requests"])
    figures["others"] = quiet.others()
    return figures


def rounds_of(arguments, precision, servers, connection_counts):
    """`servers`: label to (name, flags). Figures by label and number of connections, a list of rounds each."""
    rounds = {label: {count: [] for count in connection_counts} for label in servers}
    for number in range(arguments.rounds):
        order = list(servers) if number % 2 == 0 else list(reversed(servers))
        for label in order:
            name, flags = servers[label]
            with running(name, precision, arguments.photo_bytes[0], arguments, flags) as server:
                closed_loop(server, arguments.photos, 16, WARM_UP_SECONDS)
                for count in connection_counts:
                    rounds[label][count].append(closed_loop(server, arguments.photos, count, arguments.seconds))
    return rounds


def measure_closed(arguments, precision):
    servers = {name: (name, ()) for name in arguments.servers}
    rounds = rounds_of(arguments, precision, servers, arguments.connections)
    result = {name: {str(count): medians(of) | {"rounds": of} for count, of in by_count.items()}
              for name, by_count in rounds.items()}
    peers = [name for name in result if name != "swiftlet"]
    if "swiftlet" in result and peers:
        for count in arguments.connections:
            best = max(peers, key=lambda name: result[name][str(count)]["rate"])
            ours, theirs = ([figures["rate"] for figures in rounds[name][count]] for name in ("swiftlet", best))
            result["swiftlet"][str(count)]["over_best_peer"] = ratios(ours, theirs) | {"peer": best}
    return result


def print_closed(result, title):
    rows = []
    for name, by_count in result.items():
        for count, figures in by_count.items():
            ratio = figures.get("over_best_peer")
            rows.append([name, count, figures["rate"], figures["p50_ms"], figures["p99_ms"], figures["cpu_ms_each"],
                         f"{figures['errors']:.0f}", f"{figures['megabytes']:.0f}", f"{figures['others']:.0%}",
                         f"{spread_text(ratio)} {ratio['peer']}" if ratio else ""])
    print_table(title, ["closed loop", "connections", "requests/s", "p50 ms", "p99 ms", "CPU ms each", "errors",
                        "resident MB", "others", "rate over the best peer's"], rows)


def measure_batching(arguments, precision):
    """Ours with batches of up to 8, and of 1."""
    sizes, counts = (1, 8), (1, 2, 16)
    servers = {size: ("swiftlet", ("--max-batch-size", str(size))) for size in sizes}
    rounds = rounds_of(arguments, precision, servers, counts)
    return {str(count): {
        "size_1": medians(rounds[1][count]), "size_8": medians(rounds[8][count]),
        "rate_ratio": ratios(*([figures["rate"] for figures in rounds[size][count]] for size in (8, 1))),
        "p50_ratio": ratios(*([figures["p50_ms"] for figures in rounds[size][count]] for size in (8, 1))),
    } for count in counts}


def print_batching(result, title):
    rows = [[count, figures["size_1"]["rate"], figures["size_8"]["rate"], spread_text(figures["rate_ratio"], 3),
             figures["size_1"]["p50_ms"], figures["size_8"]["p50_ms"], spread_text(figures["p50_ratio"], 3)]
            for count, figures in result.items()]
    print_table(title, ["connections", "requests/s, 1", "up to 8", "8 over 1", "p50 ms, 1", "up to 8", "8 over 1"], rows)
