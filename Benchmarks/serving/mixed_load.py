"""Large photos among small ones: how much longer the small ones wait than the added work alone explains.

Three runs in open loop: small photos alone; small ones with a tenth of large ones; and small photos alone at the rate
that keeps the server as busy as the mixture does, by the CPU time that each kind was measured to take.
"""
import statistics

from figures import print_table, ratios, spread_text
from poisson_load import run_poisson
from servers import running

LARGE_EVERY = 10


def cpu_milliseconds(server, photos, count):
    before = server.cpu_seconds()
    for index in range(count):
        server.classify(photos[index % len(photos)])
    return 1e3 * (server.cpu_seconds() - before) / count


def measure_mixed(arguments, precision):
    return {name: mixed_figures(arguments, precision, name) for name in arguments.servers}


def mixed_figures(arguments, precision, name):
    small, large = arguments.photo_bytes, arguments.large_photo_bytes
    rate, count = arguments.mixed_rate, arguments.requests
    rounds = []
    with running(name, precision, small[0], arguments) as server:
        cpu_milliseconds(server, small, 100)
        small_cost, large_cost = cpu_milliseconds(server, small, 200), cpu_milliseconds(server, large, 40)
        small_rate = rate * (1 - 1 / LARGE_EVERY)
        equal_rate = small_rate + rate / LARGE_EVERY * large_cost / small_cost
        for seed in range(1, 1 + arguments.rounds):
            rounds.append({
                "alone": run_poisson(server, small, small_rate, count, seed).percentile(99),
                "equal_work": run_poisson(server, small, equal_rate, count, seed).percentile(99),
                "mixed": run_poisson(server, small, rate, count, seed, large_bodies=large,
                                     large_every=LARGE_EVERY).percentile(99, "small")})
        megabytes = server.resident_megabytes()
    return {"rate": rate, "small_rate": small_rate, "equal_rate": equal_rate, "small_cpu_ms": small_cost,
            "large_cpu_ms": large_cost, "megabytes": megabytes,
            "p99_ms": {what: statistics.median(of[what] for of in rounds) for what in rounds[0]},
            "over_equal_work": ratios([of["mixed"] for of in rounds], [of["equal_work"] for of in rounds])}


def print_mixed(result, title):
    rows = [[name, of["small_cpu_ms"], of["large_cpu_ms"], f"{of['p99_ms']['alone']:.1f} at {of['small_rate']:.0f}/s",
             f"{of['p99_ms']['equal_work']:.1f} at {of['equal_rate']:.0f}/s",
             f"{of['p99_ms']['mixed']:.1f} at {of['rate']:.0f}/s", spread_text(of["over_equal_work"])]
            for name, of in result.items()]
    print_table(title, ["10 % large photos", "CPU ms small", "large", "p99 ms of small, alone", "same work in small ones",
                        "among large ones", "mixed over same work"], rows)
