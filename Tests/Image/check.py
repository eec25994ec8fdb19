"""Runs the image as an orchestrator would (read-only root, no capabilities, few threads and files) and holds it to what
docs/operations.md promises; then prints what is in it.

usage: check.py IMAGE BASE, both of which podman has
"""

import json
import os
import pathlib
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

MAXIMUM_BYTES_OVER_BASE = 60_000_000
USER = 65532
PHOTO = pathlib.Path(__file__).resolve().parents[1] / "Fixtures/photo/chelsea.jpg"
# crun needs more of the kernel than a nested machine may have.
PODMAN = ["podman", "--runtime", "runc"]
BINARY = "/usr/local/bin/swiftlet"

failures = 0


def check(what, passed, figure=""):
    global failures
    failures += not passed
    print(f"{'ok' if passed else 'FAILED':7} {what:62} {figure}".rstrip(), flush=True)


def tell(what, figure):
    print(f"{'':7} {what:62} {figure}", flush=True)


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Container:
    """A container in the background, on a free port of loopback; its settings are environment variables, or in a file."""

    def __init__(self, image, variables={}, file=None):
        self.port = free_port()
        place = {"HOST": "127.0.0.1", "PORT": self.port} if file is None else {}
        options = [f"--env=SWIFTLET_{name}={value}" for name, value in (place | variables).items()]
        if file is not None:
            file.write(json.dumps({"host": "127.0.0.1", "port": self.port}))
            file.flush()
            os.chmod(file.name, 0o644)
            options.append(f"--volume={file.name}:/etc/swiftlet/config.json:ro")
        started = time.monotonic()
        self.name = output(
            *PODMAN, "run", "--detach", "--network", "host", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024",
            "--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--security-opt", "no-new-privileges",
            *options, image)
        for line in self.lines():
            if line.startswith("listening on "):
                break
        else:
            raise SystemExit(f"FAILED: the container never listened:\n{self.log()}")
        self.start_seconds = time.monotonic() - started

    def lines(self):
        """Lines of the log while the container runs, for thirty seconds at most."""
        deadline, seen = time.monotonic() + 30, 0
        while time.monotonic() < deadline:
            running = self.is_running()
            lines = self.log().splitlines()
            yield from lines[seen:]
            seen = len(lines)
            if not running:
                return
            time.sleep(0.02)

    def log(self):
        done = subprocess.run([*PODMAN, "logs", self.name], check=True, capture_output=True, text=True)
        return done.stdout + done.stderr

    def is_running(self):
        return output(*PODMAN, "inspect", "--format", "{{.State.Running}}", self.name) == "true"

    def process(self):
        if not self.is_running():
            raise SystemExit(f"FAILED: the container has ended:\n{self.log()}")
        return pathlib.Path("/proc") / output(*PODMAN, "inspect", "--format", "{{.State.Pid}}", self.name)

    def request(self, target, body=None):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{target}", body, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def run(self, *command):
        return subprocess.run([*PODMAN, "exec", self.name, *command], capture_output=True, text=True)

    def healthcheck(self):
        """What HEALTHCHECK says, as the engine runs it."""
        return subprocess.run([*PODMAN, "healthcheck", "run", self.name], capture_output=True, text=True).returncode

    def send(self, signal):
        output(*PODMAN, "kill", "--signal", signal, self.name)

    def exit_code(self):
        return int(output(*PODMAN, "wait", self.name))

    def remove(self):
        subprocess.run([*PODMAN, "rm", "--force", "--time", "0", self.name], check=True, capture_output=True)


def check_process(container):
    status = dict(
        line.split(":", 1) for line in (container.process() / "status").read_text().splitlines() if ":" in line)
    number = status["NSpid"].split()[-1]
    check("the service is PID 1", number == "1", f"PID {number}")
    check("user and group are not root", status["Uid"].split() == status["Gid"].split() == [str(USER)] * 4,
          f"uid {status['Uid'].split()[0]}, gid {status['Gid'].split()[0]}")
    capabilities = {key: status[key].strip() for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    check("it has no capabilities, and can gain none",
          all(int(value, 16) == 0 for value in capabilities.values()) and status["NoNewPrivs"].strip() == "1",
          f"CapEff {capabilities['CapEff']}, CapBnd {capabilities['CapBnd']}")
    root = next(line.split() for line in (container.process() / "mountinfo").read_text().splitlines()
                if line.split()[4] == "/")
    check("the root file system is read-only", "ro" in root[5].split(","), root[5])
    tell("resident", f"{int(status['VmRSS'].split()[0]) / 1024:.0f} MiB, {status['Threads'].strip()} threads")


def check_service(container):
    tell("ready", f"{container.start_seconds:.2f} s after podman run")
    photo = PHOTO.read_bytes()
    for model in ("efficientnet-lite0", "efficientnet-lite0-int8"):
        status, body = container.request(f"/v1/classify?top_k=1&model={model}", photo)
        best = json.loads(body)["results"][0]["predictions"][0] if status == 200 else {}
        check(f"POST /v1/classify, {model}", best.get("label") == "Egyptian cat",
              f"{status} {best.get('label')} {best.get('probability', 0):.3f}")
    status, body = container.request("/metrics")
    line = next((line for line in body.decode().splitlines()
                 if line.startswith("swiftlet_requests_total") and "/v1/classify" in line and '"200"' in line), "")
    check("GET /metrics counts them", status == 200 and line.endswith(" 2"), line)
    code = container.healthcheck()
    check("HEALTHCHECK, run by the engine", code == 0, f"exit {code}")
    started = time.monotonic()
    health = container.run(BINARY, "health")
    check("swiftlet health", health.returncode == 0 and health.stdout.endswith("/readyz: ready\n"),
          f"exit {health.returncode}, {health.stdout.strip()}, {time.monotonic() - started:.2f} s with podman exec")


def check_drain(container):
    container.send("TERM")
    deadline = time.monotonic() + 5
    while container.request("/readyz")[0] != 503 and time.monotonic() < deadline:
        time.sleep(0.02)
    status, _ = container.request("/v1/classify", PHOTO.read_bytes())
    check("SIGTERM: it answers while it drains", status == 200, f"{status}")
    health = container.run(BINARY, "health")
    check("SIGTERM: health says that it drains", health.returncode == 1 and "503: draining" in health.stderr,
          f"exit {health.returncode}, {health.stderr.strip()}")
    live = container.run(BINARY, "health", "--live")
    check("SIGTERM: it is live", live.returncode == 0, live.stdout.strip())
    container.send("TERM")
    code = container.exit_code()
    drained = next((line for line in container.log().splitlines() if line.startswith("drained: ")), "no line")
    check("SIGTERM: exit code 0 after the drain", code == 0 and drained.startswith("drained: 0 in flight"),
          f"exit {code}, {drained}")


def check_stop(image):
    """As `docker stop` does it: one signal, and SIGKILL after ten seconds."""
    file = tempfile.NamedTemporaryFile("w", suffix=".json")
    container = Container(image, file=file)
    try:
        code = container.healthcheck()
        check("a mounted config.json is followed, by HEALTHCHECK too", code == 0, f"exit {code}")
        started = time.monotonic()
        subprocess.run([*PODMAN, "stop", "--time", "10", container.name], check=True, capture_output=True)
        seconds = time.monotonic() - started
        code = container.exit_code()
        check("podman stop", code == 0 and seconds < 10,
              f"exit {code} after {seconds:.1f} s, of which 5 s are the drain delay")
    finally:
        container.remove()
        file.close()


def check_command_line(image):
    """Runs what needs neither models nor network, and has no settings."""
    def run(*arguments):
        return subprocess.run(
            [*PODMAN, "run", "--rm", "--network", "host", "--read-only", "--cap-drop", "all", "--ulimit",
             "nproc=1024:1024", "--ulimit", "nofile=1024:1024", image, *arguments], capture_output=True, text=True)

    version = run("--version").stdout.strip()
    return version, run("models", "--format", "json")


def check_description(image, version):
    description = json.loads(output(*PODMAN, "image", "inspect", image))[0]
    configuration = description["Config"]
    labels = {key.removeprefix("org.opencontainers.image."): value
              for key, value in (description["Labels"] or {}).items()}
    for key in ("title", "description", "version", "revision", "licenses", "base.name"):
        check(f"label {key}", bool(labels.get(key)), labels.get(key, "missing"))
    check("swiftlet --version says the same",
          version.startswith(f"swiftlet {labels.get('version')}, commit {labels.get('revision', '?')[:12]}"), version)
    health = description.get("Healthcheck") or configuration.get("Healthcheck") or {}
    check("HEALTHCHECK in exec form", health.get("Test") == ["CMD", BINARY, "health"], json.dumps(health))
    check("ENTRYPOINT, CMD, USER, EXPOSE",
          configuration.get("Entrypoint") == [BINARY] and configuration.get("Cmd") == ["serve"]
          and configuration.get("User") == f"{USER}:{USER}" and "8080/tcp" in configuration.get("ExposedPorts", {}),
          f"{configuration.get('Entrypoint')} {configuration.get('Cmd')} {configuration.get('User')}")


class Mount:
    """An image's files."""

    def __init__(self, image):
        self.image = image

    def __enter__(self):
        self.path = pathlib.Path(output(*PODMAN, "image", "mount", self.image))
        return self

    def __exit__(self, *_):
        subprocess.run([*PODMAN, "image", "unmount", self.image], check=True, capture_output=True)

    def files(self):
        found = {}
        for directory, names, files in os.walk(self.path):
            for name in names + files:
                path = pathlib.Path(directory) / name
                found[str(path.relative_to(self.path))] = path.lstat()
        return found


def check_files(image, base):
    with Mount(image) as mount, Mount(base) as below:
        before, after = below.files(), mount.files()
        changed = [path for path, status in before.items()
                   if path not in after or (stat.S_ISREG(status.st_mode) and status.st_size != after[path].st_size)]
        check("no file of the base is changed", not changed, " ".join(changed[:5]))
        added = {path: status for path, status in after.items() if path not in before}
        files = {path: status for path, status in added.items() if stat.S_ISREG(status.st_mode)}
        total = sum(status.st_size for status in files.values())
        check("size over the base", total <= MAXIMUM_BYTES_OVER_BASE,
              f"{total / 1e6:.1f} MB in {len(files)} files, at most {MAXIMUM_BYTES_OVER_BASE / 1e6:.0f} MB")
        unsafe = [path for path, status in added.items()
                  if status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID)]
        check("all of it is root's, and nobody else may write to it", not unsafe, " ".join(unsafe[:5]))
        binary = mount.path / BINARY[1:]
        needed = [line.split("[")[1].rstrip("]") for line in output("readelf", "--dynamic", str(binary)).splitlines()
                  if "(NEEDED)" in line]
        check("the binary needs glibc alone",
              all(name.startswith(("libc.so.", "libm.so.", "ld-linux")) for name in needed), " ".join(needed))
        sections = output("readelf", "--sections", "--wide", str(binary))
        check("the binary is stripped", ".symtab" not in sections and ".debug_info" not in sections)
        licences = sorted(path.name for path in (mount.path / "usr/local/share/doc/swiftlet").iterdir())
        expected = {"LICENSE", "swift.txt", "swift-argument-parser.txt", "libssl-dev.txt", "libwebp-dev.txt",
                    "libpng-dev.txt", "zlib1g-dev.txt", "libjpeg62-turbo-dev.txt"}
        check("the licences of what is linked in", expected <= set(licences), f"{len(licences)} texts")
        print("\nldd")
        print(output("ldd", str(binary)))
        print("\nfiles over the base")
        for path, status in sorted(files.items(), key=lambda entry: -entry[1].st_size):
            print(f"{status.st_size:12,}  {path}")
    print("\nlayers")
    print(output(*PODMAN, "history", "--human=false", "--format", "{{.Size}}\t{{.CreatedBy}}", image)[:4000])


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    image, base = sys.argv[1:]
    print(f"== {image} on {base}")
    version, models = check_command_line(image)
    names = [model["name"] for model in json.loads(models.stdout)["models"]] if models.returncode == 0 else []
    check("the bundled models are found", names == ["efficientnet-lite0", "efficientnet-lite0-int8"], " ".join(names))
    container = Container(image, {"DRAIN_DELAY_SECONDS": 60})
    try:
        check_process(container)
        check_service(container)
        check_drain(container)
    finally:
        container.remove()
    check_stop(image)
    check_description(image, version)
    check_files(image, base)
    print(f"\n{failures} failed" if failures else "\nall passed")
    sys.exit(1 if failures else 0)


main()
