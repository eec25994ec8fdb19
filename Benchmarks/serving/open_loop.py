"""Open loop: the highest Poisson rate at which the 99th percentile stays within a limit."""
import math

from closed_loop import closed_loop
from figures import print_table
from poisson_load import run_poisson
from quiet import OTHERS_LIMIT, Quiet
from servers import running

LIMIT_MS = 50
STEP = 1.04  # of the grid of rates
BASE_RATE = 5
TRIALS = 20  # at most, of the search
ATTEMPTS = 3
CONFIRMATIONS = 6  # at most


def rate_at(index):
    return BASE_RATE * STEP**index


def index_near(rate):
    return max(0, round(math.log(rate / BASE_RATE, STEP)))


def try_rate(server, arguments, index, seed):
    """Again where it failed while others used the machine."""
    for _ in range(ATTEMPTS):
        quiet = Quiet(server)
        load = run_poisson(server, arguments.photo_bytes, rate_at(index), arguments.requests, seed, LIMIT_MS)
        others = quiet.others()
        trial = {"rate": rate_at(index), "seed": seed, "passed": load.percentile(99) <= LIMIT_MS,
                 "stopped_early": load.stopped_early, "errors": load.error_count,
                 "connections": load.connection_count, "generator_share": load.generator_share, "others": others,
                 "generator_lag_p99_ms": sorted(load.lags)[len(load.lags) * 99 // 100]}
        if not load.stopped_early:
            trial |= {"p50_ms": load.percentile(50), "p99_ms": load.percentile(99)}
        print_trial(server, trial)
        if trial["passed"] or others <= OTHERS_LIMIT:
            break
    return trial


def print_trial(server, trial):
    latencies = "stopped early"
    if not trial["stopped_early"]:
        latencies = f"p50 {trial['p50_ms']:.1f} p99 {trial['p99_ms']:.1f} ms"
    print(f"  {server.name}: {trial['rate']:.1f}/s {latencies}, {trial['connections']} connections, {trial['errors']} errors, "
          f"generator {trial['generator_share']:.1%} of a core, {trial['generator_lag_p99_ms']:.2f} ms late (p99), others "
          f"{trial['others']:.0%} of the cores", flush=True)


def search(server, arguments):
    """Bisection between a fraction of the closed-loop rate and more than it; what it finds must hold twice."""
    capacity = closed_loop(server, arguments.photos, 16, max(2, arguments.seconds))["rate"]
    low, high = arguments.rates or (0.2 * capacity, 1.1 * capacity)
    passing, failing = index_near(low), index_near(high)
    trials, has_failed = [], False
    while failing - passing > 1:
        middle = (passing + failing) // 2
        trials.append(try_rate(server, arguments, middle, seed=1))
        if trials[-1]["passed"]:
            passing = middle
        else:
            failing, has_failed = middle, True
        if failing - passing == 1 and not has_failed and len(trials) < TRIALS:
            failing += index_near(2 * BASE_RATE)
    for seed in range(2, 2 + CONFIRMATIONS):
        trials.append(try_rate(server, arguments, passing, seed))
        if trials[-1]["passed"]:
            return {"rate": rate_at(passing), "p99_ms": trials[-1]["p99_ms"], "closed_loop_rate": capacity,
                    "trials": trials}
        passing -= 1
    return {"rate": None, "p99_ms": None, "closed_loop_rate": capacity, "trials": trials}


def measure_open(arguments, precision):
    result = {}
    for name in arguments.servers:
        with running(name, precision, arguments.photo_bytes[0], arguments) as server:
            result[name] = search(server, arguments)
    peers = [of["rate"] for name, of in result.items() if name != "swiftlet" and of["rate"]]
    if "swiftlet" in result and result["swiftlet"]["rate"] and peers:
        result["swiftlet"]["over_best_peer"] = result["swiftlet"]["rate"] / max(peers)
    return result


def print_open(result, title):
    rows = [[name, of["rate"] or "none found", of["p99_ms"] or "", of["closed_loop_rate"],
             of.get("over_best_peer", "")] for name, of in result.items()]
    print_table(title, [f"open loop, p99 ≤ {LIMIT_MS} ms", "Poisson rate/s", "p99 ms", "closed loop/s",
                        "over the best peer's"], rows)
