"""What the manifests say of ports, probes, times and memory, held against the binary with the ConfigMap's settings."""
import json
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from manifests import one
from server import Server

UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def quantity(text):
    number, unit = re.fullmatch(r"(\d+)([KMG]i)", text).groups()
    return int(number) * UNITS[unit]


def check(report, binary, root, documents):
    report.section("the Deployment, against the binary with the ConfigMap's config.json")
    pod = one(documents, "Deployment")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    config = json.loads(one(documents, "ConfigMap")["data"]["config.json"])
    admin_host, _, admin_port = config["adminAddress"].rpartition(":")
    report.check("containerPorts are the settings'", ports == {"http": config["port"], "admin": int(admin_port)},
                 f"{ports}")
    report.check("both listen on all addresses", admin_host == "0.0.0.0" and "host" not in config)
    grace = pod["terminationGracePeriodSeconds"]
    drain = config["drainDelaySeconds"] + config["drainTimeoutSeconds"]
    report.check("the grace period is the drain's and 5 s at least", grace >= drain + 5, f"{grace} s for {drain} s")
    readiness = container["readinessProbe"]
    seen = readiness["periodSeconds"] * readiness["failureThreshold"]
    report.check("the drain delay lets readiness probes fail", config["drainDelaySeconds"] >= seen,
                 f"{config['drainDelaySeconds']} s, seen within {seen} s")

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "config.json")
        here = {**config, "host": "127.0.0.1", "port": 0, "adminAddress": "127.0.0.1:0"}
        path.write_text(json.dumps(here))
        mount = next(m["mountPath"] for m in container["volumeMounts"] if m["name"] == "config")
        arguments = [a.replace(f"{mount}/config.json", str(path)) for a in container["args"]]
        report.check("the arguments name the mounted file", str(path) in arguments, " ".join(container["args"]))
        threads = int(container["resources"]["limits"]["cpu"])
        command = [binary, *arguments, "--threads", str(threads)]
        with Server(command, {"SWIFTLET_MODELS": str(root / "models")}) as server:
            places = {"http": "listening", "admin": "administration"}
            for probe, expected in (("startupProbe", 200), ("readinessProbe", 200), ("livenessProbe", 200)):
                get = container[probe]["httpGet"]
                status, _ = server.request("GET", get["path"], port=places[get["port"]])
                report.check(f"{probe} {get['port']}{get['path']}", status == expected, f"{status}")
            budget = container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"]
            report.check("the startup probe waits ten times as long as a start takes",
                         budget >= 10 * server.seconds_to_ready, f"{budget} s for {server.seconds_to_ready:.2f} s")
            status, _ = server.request("GET", "/metrics")
            report.check("/metrics is not on the clients' port", status == 404, f"{status}")
            status, page = server.request("GET", "/metrics", port="administration")
            report.check("/metrics is on the admin port", status == 200, f"{status}, {len(page)} bytes")
            check_queue_rule(report, root, page.decode())

            report.check("a start needs less memory than is requested",
                         server.resident_bytes() <= quantity(container["resources"]["requests"]["memory"]),
                         f"{server.resident_bytes() / 2**20:.0f} MiB")
            photo = (root / "Tests/Fixtures/photo/chelsea.jpg").read_bytes()
            with ThreadPoolExecutor(32) as pool:
                statuses = list(pool.map(lambda _: server.request("POST", "/v1/classify", photo)[0], range(640)))
            good = statuses.count(200)
            report.check("640 photos by 32 clients: answered or refused", good > 0 and set(statuses) <= {200, 503},
                         f"{good} × 200, {statuses.count(503)} × 503")
            resident = server.resident_bytes()
            settings = settings_in_force(binary, path)
            # docs/operations.md, "Size": held bodies, one more that grows, and for each thread a body's base64 and
            # the largest picture that is kept whole.
            worst = resident + settings["maxHeldBytes"] + settings["maxBodyBytes"] + threads * (
                3 * settings["maxBodyBytes"] + settings["maxDecodeBytes"])
            limit = quantity(container["resources"]["limits"]["memory"])
            report.check("the memory limit holds what was measured, and the worst of the limits besides",
                         worst <= limit, f"{resident / 2**20:.0f} MiB, {worst / 2**20:.0f} of {limit / 2**20:.0f} MiB")
            check_drain(report, server, config, readiness)


def settings_in_force(binary, path):
    import subprocess
    text = subprocess.run([binary, "config", "--config", str(path), "--format", "json"], check=True,
                          capture_output=True, text=True, env={}).stdout
    return {entry["key"]: entry["value"] for entry in json.loads(text)["settings"]}


def check_queue_rule(report, root, page):
    """The adapter's rule is about a series that is there, and gives what the autoscaler asks for."""
    rule, = yaml.safe_load((root / "deploy/kubernetes/prometheus-adapter/values.yaml").read_text())["rules"]["custom"]
    series = rule["seriesQuery"].partition("{")[0]
    patch = (root / "deploy/kubernetes/components/queue-depth/kustomization.yaml").read_text()
    given = re.sub(rule["name"]["matches"], rule["name"]["as"], series)
    report.check("the adapter's rule: its series is on the page", f"\n{series}{{" in page, series)
    report.check("the adapter's rule: its name is the autoscaler's", f"name: {given}\n" in patch, given)


def check_drain(report, server, config, readiness):
    import signal
    import time
    server.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 5
    port = "administration" if readiness["httpGet"]["port"] == "admin" else "listening"
    status = 200
    while status == 200 and time.monotonic() < deadline:
        status, _ = server.request("GET", readiness["httpGet"]["path"], port=port)
    report.check("after SIGTERM the readiness probe fails", status == 503, f"{status}")
    photo = b"not an image"
    report.check("and requests are still answered", server.request("POST", "/v1/classify", photo)[0] == 415)
    started = time.monotonic()
    code = server.process.wait(config["drainDelaySeconds"] + config["drainTimeoutSeconds"])
    report.check("then it ends, after the delay", code == 0, f"exit {code} after {time.monotonic() - started:.1f} s")
