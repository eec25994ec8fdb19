"""The systemd unit: by systemd's own tools, and by running the binary under what it allows."""
import json
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from server import Server

GREATEST_EXPOSURE = 1.5


def read(path):
    """Each key with its values, in order."""
    values = {}
    for line in path.read_text().splitlines():
        key, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            values.setdefault(key, []).append(value)
    return values


def calls_of(name):
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(
        ["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True).stdout
    names = [line.strip() for line in text.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return set().union(*(calls_of(member) for member in names))


def allowed_calls(filters):
    """Source: systemd.exec(5), `SystemCallFilter=`: the first line says that it is a list of what is allowed."""
    allowed = calls_of("@default")
    for line in filters:
        names = set().union(*(calls_of(name) for name in line.removeprefix("~").split()))
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed


def check(report, binary, root):
    report.section("the systemd unit")
    unit = root / "deploy/systemd/swiftlet.service"
    values = read(unit)
    with tempfile.TemporaryDirectory() as directory:
        # The program is not installed here.
        copy = Path(directory, "swiftlet.service")
        copy.write_text(unit.read_text().replace("/usr/local/bin/swiftlet", binary))
        verify = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True)
        text = (verify.stdout + verify.stderr).strip()
        ours = [line for line in text.splitlines() if "swiftlet" in line]
        report.check("systemd-analyze verify", verify.returncode == 0 and not ours, "; ".join(ours) or "nothing to say")
    security = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
                              capture_output=True, text=True)
    exposure = re.search(r"Overall exposure level for \S+: (\S+) (\w+)", security.stdout)
    level = float(exposure[1]) if exposure else 10
    report.check(f"systemd-analyze security: exposure of {GREATEST_EXPOSURE} at most", level <= GREATEST_EXPOSURE,
                 f"{level} {exposure[2] if exposure else security.stderr}")

    settings = json.loads((root / "config.json").read_text())
    drain = settings["drainDelaySeconds"] + settings["drainTimeoutSeconds"]
    stop = int(values["TimeoutStopSec"][0])
    report.check("TimeoutStopSec is the drain's and 5 s at least", stop >= drain + 5, f"{stop} s for {drain} s")
    files = int(values["LimitNOFILE"][0])
    report.check("LimitNOFILE holds maxConnections", files >= settings["maxConnections"] + 256 + 64, f"{files}")
    example = (root / "deploy/systemd/swiftlet.env").read_text()
    environment = dict(re.findall(r"^#?(SWIFTLET_\w+)=(.*)$", example, re.MULTILINE))
    known = subprocess.run([binary, "config", "--format", "json"], capture_output=True, text=True, env=environment)
    report.check("the example's variables are settings",
                 environment and known.returncode == 0 and "no setting" not in known.stderr,
                 ", ".join(environment) if known.returncode == 0 else known.stderr.strip())
    run(report, binary, root, values)


def run(report, binary, root, values):
    calls = allowed_calls(values["SystemCallFilter"])
    families = [getattr(socket, name) for name in values["RestrictAddressFamilies"][0].split()]
    directory = tempfile.TemporaryDirectory()
    place = Path(directory.name)
    place.chmod(0o755)
    shutil.copy(binary, place / "swiftlet")
    shutil.copytree(root / "models", place / "models")
    subprocess.run(["chmod", "-R", "a+rX", place], check=True)
    (place / "allowed.json").write_text(json.dumps({"calls": sorted(calls), "families": families}))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(place / "notify"))
    (place / "notify").chmod(0o777)
    read_only = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                 'mount --options remount,bind,ro / && exec "$@"', "read-only"]
    sandbox = [sys.executable, str(root / "Tests/Deploy/sandbox.py"), str(place / "allowed.json")]
    serve = [str(place / "swiftlet"), "serve", "--host=127.0.0.1", "--port=0", "--drain-delay-seconds=1"]
    environment = {"SWIFTLET_MODELS": str(place / "models"), "NOTIFY_SOCKET": str(place / "notify"),
                   "WATCHDOG_USEC": "500000"}

    def heard(seconds=10):
        if not select.select([listener], [], [], seconds)[0]:
            return None
        return listener.recv(4096).decode()

    def next_but_alive():
        while (text := heard()) == "WATCHDOG=1":
            pass
        return text

    with Server([*read_only, *sandbox, *serve], environment, directory="/") as server:
        report.check("starts as another user, read-only, with these system calls only", True,
                     f"{len(calls)} calls, ready in {server.seconds_to_ready:.2f} s")
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        facts = dict(re.findall(r"^(Uid|CapEff|NoNewPrivs|Seccomp):\s+(\S+)", status, re.MULTILINE))
        report.check("and it is so", facts == {
            "Uid": "65534", "CapEff": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}, f"{facts}")
        report.check("it says READY=1", heard() == "READY=1")
        report.check("and gives signs of life", heard() == "WATCHDOG=1")
        photos = [(root / "Tests/Fixtures" / path).read_bytes() for path in ("photo/chelsea.jpg",)] * 64
        with ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(lambda body: server.request("POST", "/v1/classify", body)[0], photos))
        report.check("photos are classified", statuses == [200] * len(photos), f"{len(photos)} × 200")
        status, page = server.request("GET", "/metrics")
        report.check("metrics have the start time, from /proc/stat",
                     status == 200 and b"\nprocess_start_time_seconds " in page)
        server.process.send_signal(signal.SIGHUP)
        reloading = next_but_alive() or ""
        report.check("SIGHUP: RELOADING=1, with the time, then READY=1",
                     re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", reloading) and next_but_alive() == "READY=1")
        server.process.send_signal(signal.SIGTERM)
        stopping = next_but_alive()
        started = time.monotonic()
        code = server.process.wait(60)
        report.check("SIGTERM: STOPPING=1, and exit code 0", stopping == "STOPPING=1" and code == 0,
                     f"exit {code} after {time.monotonic() - started:.1f} s")
    probe(report, place, read_only, sandbox)
    directory.cleanup()


def probe(report, place, read_only, sandbox):
    """The sandbox forbids something, or the run above has shown nothing."""
    # A netlink socket is of a family that is not allowed.
    script = "import socket; socket.socket(16, 3, 0)"
    forbidden = subprocess.run([*read_only, *sandbox, "/usr/bin/python3", "-c", script], capture_output=True, cwd="/")
    allowed = subprocess.run([*read_only, *sandbox, "/usr/bin/python3", "-c", "import socket; socket.socket(2, 1, 0)"],
                             capture_output=True, cwd="/")
    report.check("a call that is not allowed ends the process", forbidden.returncode == -signal.SIGSYS
                 and allowed.returncode == 0, f"{signal.Signals(-forbidden.returncode).name}")
    written = subprocess.run([*read_only, "touch", place / "file"], capture_output=True)
    report.check("and nothing can be written", written.returncode != 0, written.stderr.decode().strip()[-40:])
