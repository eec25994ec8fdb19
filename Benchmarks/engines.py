"""Engines as the comparison sees them: how each is started, at which settings it is measured, what it answers."""
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
WARM_UP_SHARE = 0.3


@dataclass(frozen=True)
class Setting:
    """`processes` side by side, each with so many threads, streams and images in a batch."""
    processes: int = 1
    threads: int = 1
    streams: int = 1
    batch: int = 1

    def __str__(self):
        parts = [f"batch {self.batch}"]
        if self.streams > 1:
            parts.append(f"{self.streams} streams")
        if self.processes > 1:
            parts.append(f"{self.processes} processes")
        return ", ".join(parts)


def throughput_settings(engine, threads):
    """Those of which the best counts."""
    alone = Setting(threads=threads, batch=8)
    if engine in ("swiftlet", "openvino"):
        streams = Setting(threads=threads, streams=threads)
        return [streams, Setting(threads=threads, streams=threads, batch=8) if engine == "swiftlet" else alone]
    side_by_side = Setting(processes=threads)
    return [side_by_side] if engine == "ncnn" else [side_by_side, alone]


class Peer:
    def __init__(self, engine, title, path, precision, size):
        self.engine, self.title, self.path, self.precision, self.size = engine, title, path, precision, size

    def start(self, threads, streams=1):
        complaints = tempfile.TemporaryFile("w+")
        worker = subprocess.Popen(
            [sys.executable, os.path.join(HERE, f"{self.engine}_worker.py"), self.path, "--threads", str(threads),
             "--streams", str(streams), "--precision", self.precision, "--size", str(self.size)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, text=True)
        worker.complaints = complaints
        return worker

    def ask(self, workers, line):
        for worker in workers:
            worker.stdin.write(line + "\n")
            worker.stdin.flush()
        answers = []
        for worker in workers:
            answer = worker.stdout.readline()
            if not answer:
                worker.complaints.seek(0)
                sys.exit(f"{self.title} ended after `{line}`:\n{worker.complaints.read()}")
            answers.append(json.loads(answer))
        return answers

    def measure(self, setting, seconds):
        """In processes that live only so long: another engine's idle threads may spin."""
        workers = [self.start(setting.threads, setting.streams) for _ in range(setting.processes)]
        self.ask(workers, f"warm {setting.batch} {WARM_UP_SHARE * seconds}")
        answers = self.ask(workers, f"time {seconds}")
        for worker in workers:
            worker.communicate()
        return {"median_ms": max(answer["median_ms"] for answer in answers),
                "images_per_second": sum(answer["images_per_second"] for answer in answers)}

    def logits(self, x):
        with tempfile.TemporaryDirectory() as directory:
            before, after = os.path.join(directory, "x.npy"), os.path.join(directory, "y.npy")
            np.save(before, x)
            worker = self.start(threads=1)
            self.ask([worker], f"infer {before} {after}")
            worker.communicate()
            return np.load(after)


class Swiftlet:
    engine, title = "swiftlet", "Swiftlet"

    def __init__(self, binary, repository, name, variant, weights):
        self.binary, self.repository, self.name = binary, repository, name
        self.variant, self.weights = variant, weights

    def measure(self, setting, seconds):
        return json.loads(self.run(
            "bench", "--models", self.repository, "--model", self.name, "--threads", setting.threads, "--workers",
            setting.streams, "--batch", setting.batch, "--seconds", seconds, "--format", "json"))

    def logits(self, x):
        with tempfile.TemporaryDirectory() as directory:
            before, after = os.path.join(directory, "x.npy"), os.path.join(directory, "y.npy")
            np.save(before, x)
            self.run("infer", "--weights", self.weights, "--architecture", self.variant, "--input", before, "--output",
                     after)
            return np.load(after)

    def first_guesses(self, paths):
        """The class index of each picture, prepared by Swiftlet itself."""
        lines = self.run("classify", "--models", self.repository, "--model", self.name, "--top-k", 1, "--format",
                         "json", *paths)
        return np.array([json.loads(line)["predictions"][0]["index"] for line in lines.splitlines()])

    def run(self, *arguments):
        done = subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"swiftlet {' '.join(map(str, arguments))} failed:\n{done.stderr}")
        return done.stdout
