"""One run of the real binary, on ports of loopback that it chooses itself."""
import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import time


class Server:
    def __init__(self, command, environment=None, directory=None):
        self.log_file = tempfile.NamedTemporaryFile(mode="r", suffix=".log")
        self.started = time.monotonic()
        with open(self.log_file.name, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory,
                env={"PATH": os.environ["PATH"], **(environment or {})})
        deadline = self.started + 30
        while True:
            self.ports = {
                name: int(port) for name, port in re.findall(
                    r"^(listening|administration) on https?://\S+:(\d+)$", self.log(), re.MULTILINE)}
            if "listening" in self.ports:
                break
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"no ready line from {command}:\n{self.log()}")
            time.sleep(0.005)
        self.seconds_to_ready = time.monotonic() - self.started

    def log(self):
        with open(self.log_file.name) as log:
            return log.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self, timeout=60):
        """SIGTERM, twice to skip the drain delay; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def request(self, method, path, body=None, port="listening", fields=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[port], timeout=30)
        try:
            connection.request(method, path, body, fields or {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def json(self, method, path, body=None, **arguments):
        status, answer = self.request(method, path, body, **arguments)
        return status, json.loads(answer)

    def metrics(self, port="listening"):
        """The samples without labels."""
        text = self.request("GET", "/metrics", port=port)[1].decode()
        return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.MULTILINE)}

    def resident_bytes(self, key="VmHWM"):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(rf"^{key}:\s+(\d+) kB", status.read(), re.MULTILINE)[1]) * 1024
