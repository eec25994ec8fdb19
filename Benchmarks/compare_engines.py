"""Measures Swiftlet's engine beside ONNX Runtime, OpenVINO, MNN and ncnn: same weights, pictures and threads, one run.

First all engines must give the same answers on the same pictures. Then every case is timed in turn, round after round,
each engine in a process of its own that ends before the next begins. A ratio says how many times faster Swiftlet is,
as the median over the rounds with the lowest and the highest. Throughput is each engine's best of several settings.
"""
import argparse
import json
import os
import statistics
import sys
import time

import agreement
from comparison_models import CALIBRATION, MODELS, ROOT, make_float_files, make_int8_files, make_our_int8
from engines import Peer, Setting, Swiftlet, throughput_settings
from machine import Disturbance, describe_machine, versions
from pictures import picture_paths, prepared_batch, spread

PEERS = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "mnn": "MNN", "ncnn": "ncnn"}
PRECISIONS = {"fp32": list(PEERS), "int8": ["onnxruntime", "openvino"], "bf16": ["openvino"]}
# A share of the cores that goes to others: above it a measurement is repeated.
MOST_DISTURBED, TRIES = 0.05, 3


def main():
    arguments = parse_arguments()
    report = {"machine": describe_machine(), "versions": versions(arguments.swiftlet), "rounds": arguments.rounds,
              "seconds": arguments.seconds, "comparisons": []}
    machine = report["machine"]
    print(f"{machine['cpu']}, {machine['cores']} cores{', virtual' * machine['hypervisor']}: {' '.join(machine['isa'])}")
    print(", ".join(f"{name} {version}" for name, version in report["versions"].items()))
    print(f"rounds: {arguments.rounds} of {arguments.seconds:g} s; medians, faster by (lowest–highest)")
    for name in arguments.models:
        for precision in arguments.precisions:
            comparison = compare(MODELS[name], precision, arguments)
            if comparison:
                report["comparisons"].append(comparison)
                write_json(report, arguments.output)
    if not report["comparisons"]:
        sys.exit("compare-engines: nothing to compare")
    if not arguments.check_only:
        print(f"\nall figures: {os.path.relpath(arguments.output)}")


def compare(model, precision, arguments):
    """One table. Our bf16 is fp32: we have none."""
    engines = [engine for engine in PRECISIONS[precision] if engine in arguments.engines]
    if not engines:
        return None
    print(f"\n## {model.title}, {precision}, {model.size}×{model.size}\n", flush=True)
    files = make_float_files(model)
    float_ours = Swiftlet(arguments.swiftlet, model.repository, model.name, model.variant, model.weights)
    ours = float_ours
    if precision == "int8":
        files = make_int8_files(model, files["onnxruntime"], arguments.calibration)
        repository = make_our_int8(model, arguments.swiftlet, arguments.calibration)
        ours = repository and Swiftlet(arguments.swiftlet, repository, model.name + "-int8", model.variant, None)
        if not ours:
            print(f"Swiftlet has no {model.name}-int8: only the peers are timed")
    peers = [Peer(engine, PEERS[engine], files[engine], precision, model.size) for engine in engines]
    agreed = check(model, precision, float_ours, ours, peers, arguments)
    if arguments.check_only:
        return {"model": model.title, "precision": precision, "agreement": agreed}
    timed = ([ours] if ours else []) + peers
    samples, disturbance = time_all(cases(timed, arguments.threads), arguments)
    rows = summarise(samples, timed, ours)
    print_table(rows, timed, ours)
    if disturbance > MOST_DISTURBED:
        print(f"\nNot to be trusted: other processes took up to {disturbance:.0%} of the cores in a measurement.")
    return {"model": model.title, "precision": precision, "agreement": agreed, "rows": rows,
            "disturbance": disturbance,
            "samples": [{"case": case, "engine": engine, "setting": str(setting), "figures": figures}
                        for (case, engine, setting), figures in samples.items()]}


def check(model, precision, float_ours, ours, peers, arguments):
    paths = spread(picture_paths(arguments.pictures), arguments.checked if model.bundled else min(arguments.checked, 4))
    if not paths:
        sys.exit(f"compare-engines: no pictures in {arguments.pictures}; see --pictures")
    x = prepared_batch(paths, model.description)
    if precision == "fp32":
        return agreement.check_float(float_ours, peers, x[:8])
    return agreement.check_approximate(
        float_ours, ours, peers, x, paths, is_judged=bool(model.bundled) and len(paths) >= agreement.LEAST_JUDGED)


def cases(timed, thread_counts):
    """{(title, figure): (engine, setting) pairs}"""
    def count(threads):
        return f"{threads} thread{'s' * (threads > 1)}"

    found = {(f"latency, {count(threads)}", "median_ms"): [(engine, Setting(threads=threads)) for engine in timed]
             for threads in thread_counts}
    most = max(thread_counts)
    found[f"throughput, {count(most)}", "images_per_second"] = [
        (engine, setting) for engine in timed for setting in throughput_settings(engine.engine, most)]
    return found


def time_all(all_cases, arguments):
    """{(case, engine, setting): a figure a round}, and the largest share of the cores that others took meanwhile.

    Each round begins with another engine, so that none is always first.
    """
    samples, largest = {}, 0
    for number in range(arguments.rounds):
        for (title, key), measured in all_cases.items():
            first = number % len(measured)
            for engine, setting in measured[first:] + measured[:first]:
                figure, share = measure_undisturbed(engine, setting, arguments.seconds)
                largest = max(largest, share)
                samples.setdefault((title, engine.engine, setting), []).append(figure[key])
                print(f"round {number + 1}: {title}, {engine.title}, {setting}: {figure[key]:.2f}", file=sys.stderr)
    return samples, largest


def measure_undisturbed(engine, setting, seconds):
    """The least disturbed of up to three tries."""
    tries = []
    while len(tries) < TRIES and (not tries or tries[-1][1] > MOST_DISTURBED):
        disturbance = Disturbance()
        figures = engine.measure(setting, seconds)
        tries.append((figures, disturbance.share()))
    return min(tries, key=lambda tried: tried[1])


def summarise(samples, timed, ours):
    """A row a case: each engine's best setting, and the ratios of ours to each peer and to the best of them."""
    rows = []
    for title in dict.fromkeys(case for case, _, _ in samples):
        is_latency = title.startswith("latency")
        pick = min if is_latency else max
        best = {}
        for engine in timed:
            tried = {setting: figures for (case, name, setting), figures in samples.items()
                     if case == title and name == engine.engine}
            setting = pick(tried, key=lambda setting: statistics.median(tried[setting]))
            best[engine.engine] = (setting, tried[setting])
        row = {"case": title, "unit": "ms" if is_latency else "images/s", "engines": {}}
        for name, (setting, figures) in best.items():
            row["engines"][name] = {"setting": str(setting), "median": statistics.median(figures)}
            if ours and name != ours.engine:
                pairs = zip(best[ours.engine][1], figures)
                ratios = [theirs / mine if is_latency else mine / theirs for mine, theirs in pairs]
                row["engines"][name]["faster_by"] = {
                    "median": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
        row["best_peer"] = pick((engine.engine for engine in timed if engine is not ours),
                                key=lambda name: row["engines"][name]["median"])
        rows.append(row)
    return rows


def print_table(rows, timed, ours):
    print("| | " + " | ".join(engine.title for engine in timed) + (" | best peer |" if ours else " |"))
    print("|---" * (len(timed) + 1 + bool(ours)) + "|")
    for row in rows:
        cells = []
        for engine in timed:
            found = row["engines"][engine.engine]
            cell = f"{found['median']:.4g} {row['unit']}"
            if not row["case"].startswith("latency"):
                cell += f" ({found['setting']})"
            cells.append(cell + (f", {ratio_text(found)}" if "faster_by" in found else ""))
        if ours:
            cells.append(f"**{ratio_text(row['engines'][row['best_peer']])}**")
        print(f"| {row['case']} | " + " | ".join(cells) + " |", flush=True)


def ratio_text(found):
    ratio = found["faster_by"]
    return f"{ratio['median']:.2f}× ({ratio['lowest']:.2f}–{ratio['highest']:.2f})"


def write_json(report, path):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w") as file:
        json.dump(report, file, indent=1)


def parse_arguments():
    def names(allowed):
        def parse(text):
            found = text.split(",")
            unknown = [name for name in found if name not in allowed]
            if unknown:
                raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not one of {', '.join(allowed)}")
            return found
        return parse

    parser = argparse.ArgumentParser(
        prog="scripts/compare-engines", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="of which medians are taken (5)")
    parser.add_argument("--seconds", type=float, help="of one measurement (1.0)")
    parser.add_argument("--models", type=names(MODELS), default=list(MODELS), help="some of " + ",".join(MODELS))
    parser.add_argument("--precisions", type=names(PRECISIONS), help="some of fp32,int8,bf16 (fp32,int8 and bf16)")
    parser.add_argument("--engines", type=names(PEERS), default=list(PEERS), help="some of " + ",".join(PEERS))
    parser.add_argument("--threads", type=lambda text: [int(word) for word in text.split(",")], default=[1, 2],
                        help="latency at each, throughput at the most (1,2)")
    parser.add_argument("--quick", action="store_true", help="one short round of Lite0 in fp32, to see that it works")
    parser.add_argument("--check-only", action="store_true", help="make the files and check the answers, time nothing")
    parser.add_argument("--pictures", default=None,
                        help="directory of those that answers are checked on (the calibration pictures where there are "
                             "any, or else Tests/Fixtures/photo)")
    parser.add_argument("--checked", type=int, default=40, help="how many of them at the most (40)")
    parser.add_argument("--calibration", default=CALIBRATION,
                        help="directory of pictures to quantise with (.build-calibration)")
    parser.add_argument("--swiftlet", default=os.path.join(ROOT, ".build", "release", "swiftlet"))
    parser.add_argument("--output", default=None, help="the JSON file (.build-benchmarks/engines-TIME.json)")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.models = ["lite0"]
    arguments.precisions = arguments.precisions or (["fp32"] if arguments.quick else list(PRECISIONS))
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (0.2 if arguments.quick else 1.0)
    arguments.pictures = arguments.pictures or (
        CALIBRATION if picture_paths(CALIBRATION) else os.path.join(ROOT, "Tests", "Fixtures", "photo"))
    arguments.output = arguments.output or os.path.join(
        ROOT, ".build-benchmarks", time.strftime("engines-%Y%m%d-%H%M%S.json"))
    return arguments


if __name__ == "__main__":
    main()
