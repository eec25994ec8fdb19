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
    command = [binary, "serve", "--host", "127.0.0.1", "--port", "0", "--models", models, "--drain-delay-seconds", "0"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SWIFTLET_")}
    process = subprocess.Popen(
        command + list(flags), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment)
    # Whatever happens, it does not outlive the test.
    watchdog = threading.Timer(300, process.kill)
    watchdog.start()
    try:
        address = None
        for line in process.stderr:
            match = re.search(r"listening on http://(\S+)", line)
            if match:
                address = match[1]
                break
        if address is None:
            raise SystemExit(f"the service does not start, status {process.wait()}")
        drain = threading.Thread(target=process.stderr.read, daemon=True)
        drain.start()
        yield address
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=30)
        if status != 0:
            raise SystemExit(f"the service ended with status {status}")
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
