"""The servers and the Prometheus under test: on free ports of loopback, ended by their ids, and with this process."""
import ctypes
import json
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import yaml

START_SECONDS = 30
PR_SET_PDEATHSIG = 1


class Child:
    """A process whose output goes to a file."""

    def __init__(self, command, log):
        self.log = log
        libc = ctypes.CDLL(None)
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))

    def text(self):
        return pathlib.Path(self.log).read_text(errors="replace")

    def wait_until(self, is_ready):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            result = is_ready()
            if result:
                return result
            time.sleep(0.05)
        self.stop()
        raise SystemExit(f"{self.log}: did not start\n{self.text()[-3000:]}")

    def stop(self):
        """The exit code: negative where a signal ended it, before or now."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


class Server(Child):
    """`swiftlet serve` with an admin address."""

    def __init__(self, binary, models, log, flags=()):
        super().__init__(
            [binary, "serve", "--host", "127.0.0.1", "--port", "0", "--admin-address", "127.0.0.1:0", "--models", models,
             "--model", "efficientnet-lite0", "--threads", "1", "--drain-delay-seconds", "0", *flags], log)
        self.port = int(self.wait_until(lambda: re.search(r"listening on https?://.*:(\d+)$", self.text(), re.MULTILINE)).group(1))
        self.admin = int(re.search(r"administration on http://.*:(\d+)$", self.text(), re.MULTILINE).group(1))


class Prometheus(Child):
    """Debian's, by the project's own configuration, but scraping and evaluating every second."""

    def __init__(self, configuration, targets, directory):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = yaml.safe_load(configuration.read_text())
        settings["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        settings["rule_files"] = [str(configuration.parent / name) for name in settings["rule_files"]]
        (directory / "targets").mkdir()
        (directory / "targets" / "swiftlet.yml").write_text(yaml.safe_dump([{"targets": targets}]))
        (directory / "prometheus.yml").write_text(yaml.safe_dump(settings))
        super().__init__(
            ["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
             f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"], directory / "prometheus.log")
        self.wait_until(self._is_ready)

    def _is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def get(self, path, **parameters):
        """- Raises: urllib.error.HTTPError where a query is none."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}", timeout=20) as answer:
            return json.load(answer)["data"]

    def query(self, expression):
        """Pairs of labels and value."""
        return [(row["metric"], float(row["value"][1])) for row in self.get("query", query=expression)["result"]]
