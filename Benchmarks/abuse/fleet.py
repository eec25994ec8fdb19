"""Three replicas behind HAProxy and behind nginx, as deploy/ configures them, under clients that count.

A request has failed when its answer is not 200, whoever gave it, or when there is none.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time

from balancers import ALL
from clients import Client, Load, stop
from replicas import Fleet, classified, rejected, wait
from server import ROOT, add_arguments, connect, exchange, photo, post, print_table, read_answer
from standin import StandIn

# What two of HAProxy's checks take (`inter`, `fastinter`) and the answer to what was on its way.
CHECKED_SECONDS = 1.2 + 0.5
# `maxconn` of HAProxy's servers, as balancers.py sets it.
REPLICA_PLACES = 8
WRK = ["wrk", "--threads", "1", "--connections", "16", "--duration"]
OVERLOAD = ("queue_full", "queue_wait", "held_bytes")


class Report:
    def __init__(self):
        self.rows, self.failures = [], []

    def add(self, balancer, check, figure, complaint=""):
        self.rows.append([balancer, check, figure, f"FAILED: {complaint}" if complaint else "ok"])
        print("  ".join(self.rows[-1]), file=sys.stderr, flush=True)
        if complaint:
            self.failures.append(f"{balancer}, {check}: {complaint}")


def rolling_restart(arguments, kind, report):
    with Fleet(arguments, kind) as fleet:
        load = Load(fleet.balancer.port, arguments.photo_bytes, arguments.large_bytes)
        time.sleep(0.5)
        codes, lines = [], []
        for _ in range(arguments.rounds):
            for index, server in enumerate(fleet.servers):
                fleet.end(index, signal.SIGTERM)
                codes.append(server.process.wait(40))
                lines += [line for line in server.lines if "drained:" in line]
                fleet.restart(index)
        time.sleep(0.5)
        load.stop()
        figure = f"{len(codes)} restarts: {load.answered} answered, {len(load.failed())} failed, {fleet.balancer.retries()} tried again"
        complaint = load.complaint() + fleet.complaint()
        if any(codes) or len(lines) != len(codes):
            complaint += f" exit codes {codes}, {len(lines)} say what was drained"
        report.add(kind.name, "rolling restart", figure, complaint)


def kill(arguments, kind, report):
    """What a request larger than HAProxy's buffer loses is lost; everything else is asked of another replica."""
    with Fleet(arguments, kind) as fleet:
        load = Load(fleet.balancer.port, arguments.photo_bytes, arguments.large_bytes)
        time.sleep(1)
        killed = time.monotonic()
        fleet.end(0, signal.SIGKILL)
        out = None
        if kind.checks:
            out = wait(lambda: not fleet.balancer.is_up(0), 5)
            figure = f"out of rotation after {1e3 * out:.0f} ms" if out is not None else "never out of rotation"
        time.sleep(max(0, killed + 3 - time.monotonic()))
        if not kind.checks:
            place = f"127.0.0.1:{fleet.ports[0]}"
            # Of what was served before, none went elsewhere.
            figure = f"{sum(tries[0] == place and len(tries) > 1 for tries in fleet.balancer.requests())} first tries in 3 s at the dead one"
        fleet.restart(0)
        back = wait(lambda: classified(fleet.servers[0]) > 0, 15)
        time.sleep(0.5)
        load.stop()
        large = len(load.failed("large"))
        others = len(load.failed()) - large
        figure += f", back {back:.2f} s after it was ready" if back is not None else ", never back"
        report.add(
            kind.name, "SIGKILL of one",
            f"{load.answered} answered, {others} failed, of large ones {large}; slowest {load.slowest:.2f} s; {figure}",
            load.complaint("kept", "new", "questions") + fleet.complaint() + ("" if back is not None else " not back")
            + (" never out of rotation" if kind.checks and out is None else "")
            + (f" large: {load.complaint('large')}" if large > len(load.groups["large"]) * kind.checks else ""))


def draining(arguments, kind, report):
    """From the signal on: for how long a replica that drains still gets requests."""
    with Fleet(arguments, kind, flags=["--drain-delay-seconds", "4"]) as fleet:
        load = Load(fleet.balancer.port, arguments.photo_bytes, arguments.large_bytes)
        time.sleep(1)
        server = fleet.servers[0]
        before = classified(server)
        start = time.monotonic()
        fleet.end(0, signal.SIGTERM)
        last, count = 0.0, classified(server)
        while time.monotonic() - start < 3.5:
            now = classified(server)
            if now != count:
                last, count = time.monotonic() - start, now
            time.sleep(0.02)
        code = server.process.wait(40)
        time.sleep(0.5)
        load.stop()
        complaint = load.complaint() + fleet.complaint()
        if code or not before:
            complaint += f" exit code {code}, {before:.0f} requests before the signal"
        if kind.checks and last > CHECKED_SECONDS:
            complaint += f" requests for {last:.2f} s"
        if not kind.checks:
            until = "as long as it listens (no checks)"
        else:
            until = f"for {last:.2f} s"
        report.add(kind.name, "one drains", f"gets requests {until}; {load.answered} answered, {len(load.failed())} failed", complaint)


def loading(arguments, kind, report):
    """A replica that listens and answers 503 to everything, in the place of one that has ended."""
    with Fleet(arguments, kind) as fleet:
        port = fleet.ports[2]
        fleet.end(2, signal.SIGKILL)
        fleet.servers[2].process.wait()
        if kind.checks:
            wait(lambda: not fleet.balancer.is_up(2), 5)
        stand_in = StandIn(port, is_ready=False)
        try:
            load = Load(fleet.balancer.port, arguments.photo_bytes, arguments.large_bytes)
            time.sleep(3)
            load.stop()
            count = stand_in.count("/v1/classify")
        finally:
            stand_in.stop()
        complaint = load.complaint() + fleet.complaint()
        # Without checks it must get some, or nothing is shown of what becomes of them.
        if (count or not stand_in.count("/readyz")) if kind.checks else not count:
            complaint += f" it got {count} requests, {stand_in.count('/readyz')} checks"
        report.add(
            kind.name, "one is loading", f"gets {count} requests; {load.answered} answered, {len(load.failed())} failed", complaint)


def idle_race(arguments, kind, report):
    """Replicas that close connections after a second without a request, and clients that come just then, together."""
    rounds, count = 10, 32
    with Fleet(arguments, kind, flags=["--idle-timeout-seconds", "1"]) as fleet:
        answered, failures, lock = [0], [], threading.Lock()
        request = post(arguments.photo_bytes[:arguments.small_count])
        together = threading.Barrier(count)

        def send():
            connection = connect(fleet.balancer.port)
            for number in range(rounds):
                together.wait(30)
                time.sleep(1 + 0.3 * number / rounds)
                try:
                    connection.sendall(request)
                    status = read_answer(connection)[0]
                except OSError as error:
                    status = str(error)
                with lock:
                    if status == 200:
                        answered[0] += 1
                    else:
                        failures.append(status)
                if status != 200:
                    connection.close()
                    connection = connect(fleet.balancer.port)
            connection.close()

        threads = [threading.Thread(target=send, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        report.add(
            kind.name, "idle connections close", f"{answered[0]} answered, {len(failures)} failed, {fleet.balancer.retries()} tried again",
            (f"{failures[:5]}" if failures or answered[0] != rounds * count else "") + fleet.complaint())


def kept_ends(arguments, kind, report):
    """One of three ends a kept connection whenever a request comes over it, which is what the race above looks like."""
    stand_ins = [StandIn(ends_used=index == 0) for index in range(3)]
    balancer = kind([stand_in.port for stand_in in stand_ins])
    try:
        load = [Client(balancer.port, post(arguments.photo_bytes), True, 0.005) for _ in range(6)]
        for client in load:
            client.start()
        time.sleep(2)
        stop(load)
        failures = [failure for client in load for failure in client.failures]
        again = balancer.retries()
        report.add(
            kind.name, "kept connections end", f"{sum(client.answered for client in load)} answered, {len(failures)} failed, {again} tried again",
            f"{failures[:3]}" if failures else "" if again else "none was tried again")
    finally:
        balancer.stop()
        for stand_in in stand_ins:
            stand_in.stop()


def queueing(arguments, kind, report):
    """More at a time than the replicas' places: HAProxy has what is beyond wait; nginx cannot, and passes their 503 on."""
    with Fleet(arguments, kind) as fleet:
        load = [Client(fleet.balancer.port, post(arguments.photo_bytes), True, 0.005) for _ in range(arguments.burst)]
        for client in load:
            client.start()
        most = 0.0
        end = time.monotonic() + 4
        while time.monotonic() < end:
            most = max([most] + [server.metrics()["swiftlet_inflight_requests"] - 1 for server in fleet.servers])
            time.sleep(0.05)
        stop(load)
        full = sum(rejected(server, reason) for reason in OVERLOAD for server in fleet.servers)
        failures = [failure for client in load for failure in client.failures]
        answered = sum(client.answered for client in load)
        unlike = [failure for failure in failures if kind.checks or failure[1] != 503]
        complaint = (f"{unlike[:3]}" if unlike else "") + fleet.complaint() + ("" if answered else " nothing answered")
        if kind.checks and (full or most > REPLICA_PLACES):
            complaint += f" {full:.0f} refused by replicas, {most:.0f} at one of them"
        report.add(
            kind.name, f"{arguments.burst} at a time",
            f"at most {most:.0f} at one replica; {answered} answered, "
            f"{len(failures)} failed, {full:.0f} refused by replicas", complaint)


def forwarding(_, kind, report):
    """What reaches a replica of what a client says of itself."""
    stand_in = StandIn()
    balancer = kind([stand_in.port] * 3)
    try:
        complaints = []
        if wait(lambda: exchange(balancer.port, b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")[0] == 200, 5) is None:
            complaints.append("/livez is never answered")

        def ask(path="/v1/classify", fields=(), body=b"x", method="POST"):
            head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: images.example", f"Content-Length: {len(body)}", *fields])
            status, _, answer = exchange(balancer.port, head.encode() + b"\r\n\r\n" + body)
            return status, json.loads(answer) if status == 200 else {}

        forged = ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 192.0.2.1", "x-forwarded-proto: https", "X-Forwarded-Host: evil.example",
                  "X-Forwarded-Port: 1", "X-Forwarded-Prefix: /a", "X-Real-IP: 192.0.2.2", "Forwarded: for=192.0.2.3;proto=https",
                  "X-Request-Id: mine-1"]
        fields = ask(fields=forged)[1].get("fields", [])
        told = [(name, value) for name, value in fields if name == "forwarded" or name.startswith("x-")]
        wanted = [("forwarded", "for=127.0.0.1;proto=http"), ("x-forwarded-for", "127.0.0.1"), ("x-forwarded-proto", "http"), ("x-request-id", "mine-1")]
        if sorted(told) != wanted:
            complaints.append(f"the replica was told {sorted(told)}")
        if ("host", "images.example") not in map(tuple, fields):
            complaints.append("another Host")
        ids = {dict(map(tuple, ask()[1]["fields"]))["x-request-id"] for _ in range(3)}
        if len(ids) != 3:
            complaints.append(f"ids {ids}")
        inside = ["/metrics", "/%6detrics", "/metrics?a=b", "/debug/batches", "/v2/repository/index", "/v2/%72epository/models/a/load", "http://images.example/metrics"]
        for path in inside:
            for method in ["GET", "POST"]:
                status, _ = ask(path, method=method)
                if status != 404:
                    complaints.append(f"{method} {path}: {status}")
        for count, wanted_status in [(16 << 20, 200), ((16 << 20) + 1, 413)]:
            status, _ = ask(body=bytes(count)) if wanted_status == 200 else (exchange(
                balancer.port, f"POST /v1/classify HTTP/1.1\r\nHost: a\r\nContent-Length: {count}\r\n\r\n".encode())[0], None)
            if status != wanted_status:
                complaints.append(f"a body of {count} bytes: {status}")
        if exchange(balancer.port, b"GET /v1/models HTTP/1.0\r\n\r\n")[0] != 200:
            complaints.append("HTTP/1.0 without Host fails")
        if any(path.partition("?")[0] in inside for path in stand_in.paths):
            complaints.append("a path of the inside came through")
        # All but the id, which is the client's to choose.
        report.add(kind.name, "what is told of clients", f"{len(forged) - 1} forged fields dropped, {len(inside)} paths kept inside, bodies up to 16 MiB", "; ".join(complaints))
    finally:
        balancer.stop()
        stand_in.stop()


def wrk(arguments, port, seconds):
    script = os.path.join(ROOT, "Benchmarks", "serving", "post.lua")
    output = subprocess.run(
        [*WRK, f"{seconds}s", "--timeout", "30s", "--script", script, f"http://127.0.0.1:{port}", "--", "/v1/classify", arguments.photo_path],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=seconds + 60, check=True).stdout
    figures = json.loads(output.strip().splitlines()[-1])
    return figures["requests"] / figures["seconds"], figures["errors"]


def throughput(arguments, kind, report):
    rates, errors = {"alone": [], "one": [], "three": []}, 0
    with Fleet(arguments, kind) as fleet, Fleet(arguments, kind, count=1) as lone:
        for _ in range(3):
            for name, port in [("alone", lone.ports[0]), ("one", lone.balancer.port), ("three", fleet.balancer.port)]:
                rate, failed = wrk(arguments, port, 4)
                rates[name].append(rate)
                errors += failed
        shares = [classified(server) for server in fleet.servers]
        complaint = fleet.complaint() + lone.complaint()
    if errors:
        complaint += f" {errors} errors"
    # A third each would be fair.
    if min(shares) < sum(shares) / 6:
        complaint += f" the replicas' shares are {shares}"
    alone, one, three = (statistics.median(values) for values in rates.values())
    report.add(
        kind.name, "throughput",
        f"{alone:.0f}/s one replica alone, {one:.0f}/s behind it, {three:.0f}/s three: {three / alone:.2f} × on {os.cpu_count()} cores",
        complaint)


CHECKS = {check.__name__.replace("_", "-"): check for check in (
    rolling_restart, kill, draining, loading, idle_race, kept_ends, queueing, forwarding, throughput)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--balancers", nargs="+", choices=list(ALL), default=list(ALL))
    parser.add_argument("--checks", nargs="+", choices=list(CHECKS), default=list(CHECKS))
    parser.add_argument("--rounds", type=int, default=3, help="of restarts of all replicas")
    parser.add_argument("--burst", type=int, default=96, help="clients at a time for `queueing`: more than the replicas have places")
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.burst <= 3 * REPLICA_PLACES:
        parser.error(f"at least one round, and a burst of more than {3 * REPLICA_PLACES}")
    arguments.photo_path = arguments.photo or os.path.join(ROOT, "Tests", "Fixtures", "photo", "chelsea.jpg")
    arguments.photo_bytes = photo(arguments.photo)
    arguments.large_bytes = photo(arguments.photo, 1_000_000)
    arguments.small_count = os.path.getsize(arguments.photo_path)
    report = Report()
    for name in arguments.balancers:
        for check in arguments.checks:
            CHECKS[check](arguments, ALL[name], report)
    print_table(["balancer", "check", "figure", ""], report.rows)
    for failure in report.failures:
        print(f"FAILED: {failure}")
    sys.exit(bool(report.failures))


if __name__ == "__main__":
    main()
