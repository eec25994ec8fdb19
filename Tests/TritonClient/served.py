"""A `swiftlet serve` of its own, on a free port of loopback."""

import contextlib
import os
import re
import signal
import subprocess
import threading


@contextlib.contextmanager
def served(binary, models, *flags):
    """Serves `models` and yields HOST:PORT; drains in the end."""
    with served_at(binary, models, *flags) as addresses:
        yield addresses["listening"]


@contextlib.contextmanager
def served_at(binary, models, *flags):
    """Serves `models` and yields HOST:PORT as `listening` and, where there is one, as `administration`."""
    command = [binary, "serve", "--host", "127.0.0.1", "--port", "0", "--models", models, "--drain-delay-seconds", "0"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SWIFTLET_")}
    process = subprocess.Popen(
        command + list(flags), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment)
    # Whatever happens, it does not outlive the test.
    watchdog = threading.Timer(600, process.kill)
    watchdog.start()
    try:
        addresses = {}
        for line in process.stderr:
            match = re.search(r"(listening|administration) on http://(\S+)", line)
            if match:
                addresses[match[1]] = match[2]
            if "listening" in addresses:
                break
        if "listening" not in addresses:
            raise SystemExit(f"the service does not start, status {process.wait()}")
        drain = threading.Thread(target=process.stderr.read, daemon=True)
        drain.start()
        yield addresses
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=30)
        if status != 0:
            raise SystemExit(f"the service ended with status {status}")
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
