"""Reloads a model of `swiftlet serve` again and again under load.

Clients on keep-alive connections classify all the time; meanwhile the model is loaded anew, in three ways by turns: by the
load route, by SIGHUP after its files were replaced, and by SIGHUP after another version came and the last one went. Every
request must be answered with 200 and the same classes, and by a version that was there; resident memory must not grow.
Exit code 1 where one of these does not hold.
"""
import argparse
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
MODELS = {"fp32": "efficientnet-lite0", "int8": "efficientnet-lite0-int8"}
READY_SECONDS = 30
RELOAD_SECONDS = 30


class Clients:
    """Threads that each send a photo, wait for its answer, and send it again."""

    def __init__(self, port, photo, count):
        self.port, self.photo = port, photo
        self.is_over = threading.Event()
        self.sent = self.answered = 0
        self.versions, self.faults, self.classes = {}, [], None
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self.is_over.is_set():
            with self.lock:
                self.sent += 1
            try:
                connection.request("POST", "/v1/classify", self.photo)
                response = connection.getresponse()
                body = response.read()
                fault = None if response.status == 200 else f"{response.status}: {body[:200]!r}"
                if not fault:
                    answer = json.loads(body)
                    if answer["version"] != response.getheader("X-Model-Version"):
                        fault = f"version {answer['version']} says that it is {response.getheader('X-Model-Version')}"
            except (OSError, http.client.HTTPException, ValueError) as error:
                # The connection opens again with the next request.
                connection.close()
                fault = repr(error)
            with self.lock:
                if fault:
                    self.faults.append(fault)
                    continue
                self.answered += 1
                self.versions[answer["version"]] = self.versions.get(answer["version"], 0) + 1
                predictions = answer["results"][0]["predictions"]
                self.classes = self.classes or predictions
                if predictions != self.classes:
                    self.faults.append(f"other classes: {predictions}")

    def end(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(timeout=60)
            if thread.is_alive():
                self.faults.append("a request is not answered at all")


class Server:
    def __init__(self, swiftlet, models, flags):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SWIFTLET_")}
        # An empty directory: no config.json of somebody else's.
        self.directory = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [swiftlet, "serve", "--host", "127.0.0.1", "--port", "0", "--models", models, "--drain-delay-seconds", "0", *flags],
            cwd=self.directory.name, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.lines, self.port = [], None
        self.has_port = threading.Event()
        threading.Thread(target=self.read, daemon=True).start()
        if not self.has_port.wait(READY_SECONDS) or self.port is None:
            self.process.kill()
            raise SystemExit("the server is not ready:\n" + "".join(self.lines))

    def read(self):
        for line in self.process.stderr:
            self.lines.append(line)
            if line.startswith("listening on http://"):
                self.port = int(line.rsplit(":", 1)[1])
                self.has_port.set()
        self.has_port.set()

    def memory(self):
        """Resident megabytes now, and at the most since the last call."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            fields = dict(line.split(":", 1) for line in file)
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="utf-8") as file:
            file.write("5")  # the peak begins anew
        return tuple(int(fields[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))

    def exchange(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=RELOAD_SECONDS)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def versions(self, name):
        """Of what answers: version to digest."""
        status, body = self.exchange("GET", f"/v1/models/{name}")
        listed = json.loads(body)["versions"] if status == 200 else []
        return {of["version"]: of["sha256"] for of in listed if of["state"] == "READY"}

    def loads(self):
        return sum(" loaded model" in line or " reloaded model" in line for line in self.lines)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def wait_until(condition, what):
    deadline = time.monotonic() + RELOAD_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {RELOAD_SECONDS} s in vain: {what}")
        time.sleep(0.005)


def copy_version(name, models, version):
    """A copy that appears under its name when it is complete."""
    place = os.path.join(models, MODELS[name], str(version))
    partial = os.path.join(models, f".partial-{version}")
    shutil.copytree(os.path.join(ROOT, "models", MODELS[name], "1"), partial)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    os.rename(partial, place)


def replace_weights(place):
    path = os.path.join(place, "model.safetensors")
    shutil.copyfile(path, path + ".new")
    os.rename(path + ".new", path)


def soak(arguments, precision):
    name = MODELS[precision]
    with tempfile.TemporaryDirectory() as models:
        copy_version(precision, models, 1)
        server = Server(arguments.swiftlet, models, ["--log-level", "info", *arguments.flags])
        version, rows = 1, []
        try:
            with open(arguments.photo, "rb") as file:
                clients = Clients(server.port, file.read(), arguments.connections)
            wait_until(lambda: clients.answered > 200 or clients.faults, "the first answers")
            server.memory()
            for number in range(1, arguments.reloads + 1):
                started, before, loads = time.monotonic(), clients.answered, server.loads()
                place = os.path.join(models, name, str(version))
                if number % 3 == 1:
                    status, body = server.exchange("POST", f"/v2/repository/models/{name}/load")
                    if status != 200:
                        raise SystemExit(f"load answered {status}: {body!r}")
                elif number % 3 == 2:
                    replace_weights(place)
                    server.process.send_signal(signal.SIGHUP)
                else:
                    copy_version(precision, models, version + 1)
                    shutil.rmtree(place)
                    version += 1
                    server.process.send_signal(signal.SIGHUP)
                wait_until(lambda: server.loads() > loads, "a line that says that the model was loaded")
                seconds = time.monotonic() - started
                wait_until(lambda: list(server.versions(name)) == [str(version)], f"version {version} alone")
                time.sleep(arguments.pause)
                resident, peak = server.memory()
                rows.append((number, seconds, clients.answered - before, resident, peak))
            clients.end()
        finally:
            code = server.end()
    return rows, clients, code


def report(arguments, precision, rows, clients, code):
    print(f"\n{precision}: {len(rows)} reloads, {arguments.connections} connections")
    print("reload   seconds   answers meanwhile   resident MB   peak MB")
    for number, seconds, answers, resident, peak in rows:
        if number == 1 or number % arguments.every == 0:
            print(f"{number:6d}   {seconds:7.3f}   {answers:17d}   {resident:11.1f}   {peak:7.1f}")
    # The first tenth comes to what caches and arenas need.
    settled = rows[len(rows) // 10:]
    half = len(settled) // 2
    mean = lambda part: sum(row[3] for row in part) / len(part)
    growth = mean(settled[half:]) - mean(settled[:half])
    lost = clients.sent - clients.answered
    print(f"{clients.sent} requests, {clients.answered} answered with 200, {lost} lost, {len(clients.faults)} faults, "
          f"{len(clients.versions)} versions answered; exit code {code}")
    print(f"resident memory: {mean(settled[half:]) - mean(settled[:half]):+.2f} MB from the first half to the second, "
          f"{min(row[3] for row in settled):.1f} to {max(row[3] for row in settled):.1f} MB")
    for fault in clients.faults[:5]:
        print(f"  {fault}")
    return not lost and not clients.faults and code == 0 and growth <= arguments.growth


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=[*MODELS, "both"], default="both")
    parser.add_argument("--reloads", type=int, default=50)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--pause", type=float, default=0.2, help="seconds between a reload and the next look at memory")
    parser.add_argument("--growth", type=float, default=3, help="megabytes that the second half may have more than the first")
    parser.add_argument("--every", type=int, default=5, help="which rows are printed")
    parser.add_argument("--photo", default=os.path.join(ROOT, "Tests", "Fixtures", "jpeg", "420.jpg"))
    parser.add_argument("--swiftlet", default=os.path.join(ROOT, ".build", "release", "swiftlet"))
    parser.add_argument("flags", nargs="*", help="of the server, behind --")
    arguments = parser.parse_args()
    arguments.swiftlet = os.path.abspath(arguments.swiftlet)
    precisions = list(MODELS) if arguments.precision == "both" else [arguments.precision]
    passed = True
    for precision in precisions:
        passed = report(arguments, precision, *soak(arguments, precision)) and passed
    sys.exit(0 if passed else 1)


main()
