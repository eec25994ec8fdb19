"""Ten times the load that it can carry: what is answered in time, how soon the rest is refused, and how true that is.

The server has one core and one thread, the load the other cores.
"""
import argparse
import os
import sys
import threading
import time

from openloop import OpenLoop, percentile
from server import Server, add_arguments, connect, multipart, photo, post, print_table, read_answer

GOOD_MILLISECONDS = 500
LEVELS = (0.8, 1, 1.5, 2, 3, 5, 7, 10)


def capacity(port, request, seconds, connections=16):
    """Closed loop. Units: answers a second."""
    counts = [0] * connections
    end = time.monotonic() + seconds

    def client(index):
        with connect(port) as connection:
            while time.monotonic() < end:
                connection.sendall(request)
                counts[index] += read_answer(connection)[0] == 200

    threads = [threading.Thread(target=client, args=(index,)) for index in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def curve(server, request, base, arguments, failures):
    rows, goodputs, resident = [], {}, []
    for level in arguments.levels:
        peak = [0.0]

        def sample(peak=peak):
            peak[0] = max(peak[0], server.megabytes())

        load = OpenLoop(server.port, [request], level * base, arguments.seconds)
        sent = load.run(sample)
        answered = [of.milliseconds for of in sent if of.status == 200]
        refused = [of for of in sent if of.status == 503]
        others = len(sent) - len(answered) - len(refused)
        good = sum(of <= GOOD_MILLISECONDS for of in answered) / arguments.seconds
        goodputs[level] = good
        resident.append(peak[0])
        delays = [of.milliseconds for of in refused]
        rows.append([f"{level:g}×", len(sent) / arguments.seconds, good, percentile(answered, 50), percentile(answered, 99),
                     len(refused) / arguments.seconds, percentile(delays, 50), percentile(delays, 99),
                     max(delays, default=float("nan")), others, 1e3 * percentile(load.lags, 99), load.generator_share,
                     peak[0]])
        if others:
            failures.append(f"{others} requests at {level}× got neither 200 nor 503")
        if delays and percentile(delays, 99) > 50:
            failures.append(f"refusals at {level}×: p99 {percentile(delays, 99):.0f} ms")
        for of in refused:
            if of.retry_seconds < 1 or of.retry_milliseconds and of.retry_seconds != -(-of.retry_milliseconds // 1000):
                failures.append(f"Retry-After {of.retry_seconds}, Retry-After-Ms {of.retry_milliseconds}")
                break
    print_table(["offered", "requests/s", "goodput/s", "p50 ms", "p99 ms", "refused/s", "p50 ms", "p99 ms", "max ms", "other",
                 "sent late, p99 ms", "generator", "MB"], rows)
    best, last = max(goodputs.values()), goodputs[arguments.levels[-1]]
    print(f"goodput at {arguments.levels[-1]:g}×: {last / best:.1%} of the peak; resident "
          f"{min(resident):.1f} to {max(resident):.1f} MB")
    if last < 0.9 * best:
        failures.append(f"goodput at {arguments.levels[-1]:g}× is {last / best:.1%} of the peak")
    if resident[-1] > 1.3 * resident[0] + 20:
        failures.append(f"memory grew from {resident[0]:.1f} to {resident[-1]:.1f} MB")


def truth(server, jpeg, rounds, failures):
    """Bursts of single images and of forms with several: how long what was let in took, beside what the refused were told."""
    body, fields = multipart([jpeg] * 4)
    requests = [post(jpeg), post(body, fields)]
    told, ratios = [], []
    for seed in range(rounds):
        load = OpenLoop(server.port, requests, 0, 0, seed=seed, shares=[8, 2], at_once=240)
        sent = load.run()
        end = max((of.answered for of in sent if of.status == 200), default=0)
        for of in sent:
            # Told after all had come, lest what came later count.
            if of.status == 503 and of.retry_milliseconds:
                told.append(of.retry_milliseconds)
                ratios.append(of.retry_milliseconds / (1e3 * (end - of.answered)))
        time.sleep(0.2)
    if not ratios:
        failures.append("nothing was refused in the bursts")
        return
    print(f"Retry-After-Ms over the time that it really took: median {percentile(ratios, 50):.2f}, 5th to 95th percentile "
          f"{percentile(ratios, 5):.2f} to {percentile(ratios, 95):.2f}; told {min(told)} to {max(told)} ms")
    if not 0.7 <= percentile(ratios, 50) <= 1.5:
        failures.append("Retry-After-Ms is not what it takes")


def priorities(server, request, base, seconds, failures):
    requests = [request.replace(b"\r\n\r\n", f"\r\nX-Request-Priority: {level}\r\n\r\n".encode(), 1) for level in (1, 5, 10)]
    sent = OpenLoop(server.port, requests, 2.5 * base, seconds, shares=[1, 8, 1]).run()
    rows, medians = [], []
    for kind, level in enumerate((1, 5, 10)):
        mine = [of for of in sent if of.kind == kind]
        answered = [of.milliseconds for of in mine if of.status == 200]
        medians.append(percentile(answered, 50))
        rows.append([str(level), len(mine) / seconds, len(answered) / len(mine), medians[-1], percentile(answered, 99)])
        if not answered:
            failures.append(f"priority {level} starves")
    print_table(["priority", "requests/s", "share answered", "p50 ms", "p99 ms"], rows)
    if not medians[0] < medians[1] < medians[2]:
        failures.append("priorities are not honoured")


def deadlines(server, request, base, seconds, failures):
    milliseconds = 150
    before = server.metrics()
    short = request.replace(b"\r\n\r\n", f"\r\nX-Request-Deadline-Ms: {milliseconds}\r\n\r\n".encode(), 1)
    sent = OpenLoop(server.port, [request, short], 1.5 * base, seconds, shares=[1, 1]).run()
    after = server.metrics()
    mine = [of for of in sent if of.kind == 1]
    counts = {status: sum(of.status == status for of in mine) for status in (200, 503, 504)}
    late = sum(of.status == 200 and of.milliseconds > milliseconds for of in mine)
    refused = [of.milliseconds for of in mine if of.status == 503]
    counted = after["swiftlet_rejected_total{reason=\"deadline\"}"] - before["swiftlet_rejected_total{reason=\"deadline\"}"]
    print(f"deadline of {milliseconds} ms at 1.5×, of {len(mine)}: {counts[200]} answered ({late} of them late), {counts[503]} refused "
          f"(p99 {percentile(refused, 99):.1f} ms), {counts[504]} expired in the queue; {counted:.0f} counted")
    if late > 0.05 * max(1, counts[200]):
        failures.append(f"{late} of {counts[200]} answers came after their deadline")
    if sum(counts.values()) != len(mine):
        failures.append("a request with a deadline got another answer")


def leavers(server, request, base, seconds, failures):
    before = server.metrics()
    load = OpenLoop(server.port, [request, request + b""], 2 * base, seconds, shares=[1, 1], leave_after={1: 0.03})
    sent = load.run()
    time.sleep(0.3)
    after = server.metrics()

    def grown(name):
        return int(after[name] - before[name])

    images = grown('swiftlet_images_total{model="efficientnet-lite0",version="1"}')
    gone = grown('swiftlet_rejected_total{reason="disconnected"}')
    answered = sum(of.status == 200 for of in sent)
    wasted = images - answered
    print(f"clients that leave after 30 ms at 2×: {load.left} left, {gone} counted as gone, {images} images computed for "
          f"{answered} answers: {wasted} in vain")
    if wasted > 0.25 * max(1, load.left):
        failures.append("work was done for those who had left")
    if not 0.95 * load.left <= gone <= load.left:
        failures.append(f"{gone} of {load.left} who left were counted")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    parser.add_argument("--seconds", type=float, default=6, help="of each level")
    parser.add_argument("--levels", type=float, nargs="+", default=LEVELS, help="of the load, in capacities")
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--parts", nargs="+", default=["curve", "truth", "priorities", "deadlines", "leavers"])
    parser.add_argument("--flags", nargs=argparse.REMAINDER, default=[], help="further flags of the server, at the end")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("the server and the load need a core each")
    os.sched_setaffinity(0, cores[1:])
    jpeg, failures = photo(arguments.photo), []
    server = Server(arguments.swiftlet, ["--threads", "1", "--drain-delay-seconds", "0", "--load-models", arguments.model,
                                         "--model", arguments.model, *arguments.flags], cores=cores[:1])
    try:
        request = post(jpeg)
        capacity(server.port, request, 1)
        base = capacity(server.port, request, 3)
        print(f"capacity: {base:.1f} requests/s of {len(jpeg) // 1000} kB at 16 connections")
        if "curve" in arguments.parts:
            curve(server, request, base, arguments, failures)
        if "truth" in arguments.parts:
            truth(server, jpeg, 4, failures)
        if "priorities" in arguments.parts:
            priorities(server, request, base, arguments.seconds, failures)
        if "deadlines" in arguments.parts:
            deadlines(server, request, base, arguments.seconds, failures)
        if "leavers" in arguments.parts:
            leavers(server, request, base, arguments.seconds, failures)
    finally:
        server.stop()
    for failure in failures:
        print(f"FAILED: {failure}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
