"""The servers that are compared: how each is started on a free port, is known to be ready, and is ended."""
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
LABELS = os.path.join(ROOT, "models", "efficientnet-lite0", "1", "labels.txt")
OURS = {"fp32": "efficientnet-lite0", "int8": "efficientnet-lite0-int8"}
NAMES = ("swiftlet", "fastapi", "mosec")
READY_SECONDS = 60
STOP_SECONDS = 10


class Unavailable(Exception):
    """The server listens and does not answer yet."""


@dataclass
class Server:
    """A running server, whose processes this one owns."""
    name: str
    port: int
    path: str
    process: subprocess.Popen
    log_path: str
    seconds_to_ready: float = 0.0
    secure: bool = False
    known_pids: dict = field(default_factory=dict)  # to the time each started, as ids are given again

    def pids(self):
        """Of the process and its descendants."""
        found, parents = [], [self.process.pid]
        while parents:
            parent = parents.pop()
            found.append(parent)
            for task in listed(f"/proc/{parent}/task"):
                parents += [int(pid) for pid in read_text(f"/proc/{parent}/task/{task}/children").split()]
        self.known_pids.update((pid, start_time(pid)) for pid in found)
        return found

    def resident_megabytes(self):
        """Resident memory; pages that several of its processes share count once."""
        pids, kilobytes = self.pids(), 0
        key = "Rss:" if len(pids) == 1 else "Pss:"
        for pid in pids:
            for line in read_text(f"/proc/{pid}/smaps_rollup").splitlines():
                if line.startswith(key):
                    kilobytes += int(line.split()[1])
        return kilobytes / 1024

    def cpu_seconds(self):
        ticks = 0
        for pid in self.pids():
            fields = read_text(f"/proc/{pid}/stat").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12]) if fields else 0
        return ticks / os.sysconf("SC_CLK_TCK")

    def classify(self, jpeg):
        """The predictions for one photo, and the answer's `Server-Timing`."""
        if self.secure:
            # A certificate made for this run: nobody vouches for it.
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=30, context=ssl._create_unverified_context())
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("POST", self.path, jpeg, {"Content-Type": "image/jpeg"})
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status == 503:
            raise Unavailable
        if response.status != 200:
            raise SystemExit(f"{self.name} answered {response.status}: {body[:200]!r}")
        answer = json.loads(body)
        return answer.get("results", [answer])[0]["predictions"], response.getheader("Server-Timing", "")


def read_text(path):
    """Empty where the process has gone meanwhile."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def start_time(pid):
    fields = read_text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if fields else None


def listed(path):
    try:
        return os.listdir(path)
    except FileNotFoundError:
        return []


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def command(name, precision, port, swiftlet, flags):
    if name == "swiftlet":
        return [swiftlet, "serve", "--host", "127.0.0.1", "--port", str(port), "--model", OURS[precision],
                "--load-models", OURS[precision], "--drain-delay-seconds", "0", *flags], "/v1/classify"
    if name == "fastapi":
        return [sys.executable, "-m", "uvicorn", "fastapi_server:app", "--app-dir", HERE, "--host", "127.0.0.1", "--port",
                str(port), "--workers", "2", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level",
                "warning", "--timeout-keep-alive", "75"], "/classify"
    return [sys.executable, os.path.join(HERE, "mosec_server.py"), "--address", "127.0.0.1", "--port", str(port),
            "--timeout", "30000", "--log-level", "warning"], "/inference"


@contextmanager
def running(name, precision, photo, arguments, flags=()):
    """A server that has answered `photo`, ended with the block."""
    port = free_port()
    line, path = command(name, precision, port, arguments.swiftlet, flags)
    log_path = os.path.join(arguments.scratch, f"{name}.log")
    environment = dict(os.environ, PEER_MODEL=arguments.peer_models.get(precision, ""), PEER_LABELS=LABELS)
    with open(log_path, "wb") as log:
        started = time.monotonic()
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, env=environment)
    server = Server(name, port, path, process, log_path, secure="--tls-certificate" in flags)
    try:
        wait_until_ready(server, photo, started)
        yield server
    finally:
        stop(server)


def wait_until_ready(server, photo, started):
    while True:
        if server.process.poll() is not None or time.monotonic() - started > READY_SECONDS:
            raise SystemExit(f"{server.name} did not start:\n{read_text(server.log_path)[-2000:]}")
        try:
            server.classify(photo)
        except (ConnectionError, http.client.HTTPException, Unavailable):
            time.sleep(0.002)
            continue
        server.seconds_to_ready = time.monotonic() - started
        return


def stop(server):
    """Ends the server's processes, each by its id: politely, and after `STOP_SECONDS` for good."""
    server.pids()
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGTERM)
    try:
        server.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
    deadline = time.monotonic() + STOP_SECONDS
    for pid, started in server.known_pids.items():
        while started and start_time(pid) == started and time.monotonic() < deadline:
            time.sleep(0.01)
        if started and start_time(pid) == started:
            os.kill(pid, signal.SIGKILL)
