"""Holds rules, alerts, dashboard and runbook to each other, and to a real server under load that a real Prometheus scrapes.

usage: check.py BINARY REPOSITORY_OF_THE_PROJECT SECONDS
"""
import json
import math
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import yaml

import dashboard as grafana
import load
import promql
from processes import Prometheus, Server

# Families that no query is made of, and why.
UNUSED = {
    "process_virtual_memory_bytes": "address space that is reserved says nothing of memory that is used",
}
# Families that not every server has, and what it takes: queries of these alone may return nothing.
CONDITIONAL = {
    "swiftlet_cpu_throttled_seconds_total": "a control group with a quota",
}
# What Prometheus itself makes.
PROMETHEUS = {"up", "ALERTS"}
# What the load must set off, at least as far as `pending`; and what it must not.
EXPECTED = {
    "SwiftletAvailabilityBudgetBurns", "SwiftletOverloaded", "SwiftletModelBroken", "SwiftletModelLoadFailed",
    "SwiftletCertificateExpires", "SwiftletHandshakesFail",
}
UNEXPECTED = {
    "SwiftletDown", "SwiftletInstanceDown", "SwiftletStalled", "SwiftletNoModel", "SwiftletRestarts", "SwiftletVersionsMixed",
    "SwiftletMemoryGrows", "SwiftletDescriptorsRunOut", "SwiftletLogLinesLost", "SwiftletCertificateExpiresSoon",
}


class Report:
    def __init__(self):
        self.failures = []

    def fail(self, sentence):
        self.failures.append(sentence)
        print(f"FAILED: {sentence}", flush=True)


def rules(prometheus):
    """Of the files that the configuration names."""
    for name in yaml.safe_load((prometheus / "prometheus.yml").read_text())["rule_files"]:
        for group in yaml.safe_load((prometheus / name).read_text())["groups"]:
            yield from group["rules"]


def check_alerts(report, project, alerts):
    """Each has a section of the runbook, a link to it, and a unit test of when it fires and when it does not."""
    sections = set(re.findall(r"^#### (Swiftlet\w+)$", (project / "docs" / "operations.md").read_text(), re.MULTILINE))
    tested = {}
    tests = yaml.safe_load((project / "deploy/prometheus/tests.yml").read_text())
    configuration = yaml.safe_load((project / "deploy/prometheus/prometheus.yml").read_text())
    if tests["rule_files"] != configuration["rule_files"]:
        report.fail(f"tests.yml is of {tests['rule_files']}, prometheus.yml of {configuration['rule_files']}")
    for group in tests["tests"]:
        for test in group.get("alert_rule_test", []):
            tested.setdefault(test["alertname"], set()).add(bool(test["exp_alerts"]))
    names = {alert["alert"] for alert in alerts}
    for name in sorted(sections - names):
        report.fail(f"docs/operations.md has a section for {name}, and there is no such alert")
    for name in sorted((EXPECTED | UNEXPECTED) - names):
        report.fail(f"{name} is looked for under load, and there is no such alert")
    for alert in alerts:
        name = alert["alert"]
        if name not in sections:
            report.fail(f"{name} has no section in docs/operations.md")
        if alert["annotations"].get("runbook_url") != f"docs/operations.md#{name.lower()}":
            report.fail(f"{name} does not link its section: {alert['annotations'].get('runbook_url')}")
        if tested.get(name) != {True, False}:
            report.fail(f"{name} is not tested both firing and silent in tests.yml")
    print(f"{len(alerts)} alerts held to their sections of the runbook and to their tests, firing and silent")


def check_parse(report, queries, directory):
    """As rules, since promtool reads those without a server."""
    path = directory / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": [
        {"record": f"query:{index}", "expr": grafana.substituted(query)} for index, query in enumerate(queries)]}]}))
    result = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True)
    if result.returncode:
        report.fail(f"a query of the dashboard is none:\n{result.stdout}{result.stderr}")


def exposed_families(ports):
    """By a scrape of each server, with the names of their series."""
    families = {}
    for port in ports:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith("# TYPE "):
                    _, _, name, kind = line.split()
                    suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
                    families[name] = {name + suffix for suffix in suffixes}
    return families


def check_names(report, families, used, recorded):
    series = set().union(*families.values())
    for name in sorted(used - series - recorded - PROMETHEUS - set(CONDITIONAL)):
        report.fail(f"{name} is queried, and neither exposed nor recorded")
    for name in sorted(set(UNUSED) - set(families)):
        report.fail(f"{name} is said to be unused, and is not exposed")
    for name, members in sorted(families.items()):
        if name in UNUSED and members & used:
            report.fail(f"{name} is said to be unused, and is queried")
        elif name not in UNUSED and not members & used:
            report.fail(f"{name} is exposed, and in no query; UNUSED may say why")
    absent = sorted(set(CONDITIONAL) - series)
    print(f"{len(families)} families of metrics exposed, {len(recorded)} recorded: each used, or unused for a reason"
          f"{'; absent here: ' + ', '.join(absent) if absent else ''}")


def is_of(expression, conditional):
    """Whether it is made of nothing else."""
    return all(name in conditional for name, _ in promql.selectors(expression))


def check_data(report, prometheus, rows, conditional):
    """Prints a row of each query. `rows`: triples of where it is from, its name and an expression."""
    for source, name, expression in rows:
        try:
            result = prometheus.query(expression)
        except urllib.error.HTTPError as error:
            report.fail(f"{source}, {name}: {error.read().decode()}")
            continue
        finite = [value for _, value in result if math.isfinite(value)]
        value = f"{max(finite):.4g}" if finite else "–"
        print(f"{source} | {name} | {len(result)} | {value} | {' '.join(expression.split())}")
        if not finite and not is_of(expression, conditional):
            report.fail(f"{source}, {name}: no data for {expression}")


def rows_of(dashboard, alerts, recorded):
    for row, panel, query in grafana.queries(dashboard):
        yield row, panel, grafana.substituted(query)
    for annotation in dashboard["annotations"]["list"]:
        # Events, which may not have happened: what they are made of.
        for name, selector in promql.selectors(grafana.substituted(annotation["expr"])):
            if name != "ALERTS":
                yield "annotation", annotation["name"], selector
    for record in recorded:
        yield "record", record, record
    for alert in alerts:
        if not alert["expr"].strip().startswith("absent"):
            yield "alert", alert["alert"], promql.without_thresholds(alert["expr"])
        for _, selector in dict.fromkeys(promql.selectors(alert["expr"])):
            yield "input", alert["alert"], selector


def check_variables(report, prometheus, dashboard):
    for name, selector, label in grafana.variables(dashboard):
        values = prometheus.get(f"label/{label}/values", **{"match[]": grafana.substituted(selector)})
        print(f"variable | {name} | {len(values)} | {', '.join(values)}")
        if not values:
            report.fail(f"the variable '{name}' has no values")


def check_active(report, prometheus):
    active = {}
    for alert in prometheus.get("alerts")["alerts"]:
        name = alert["labels"]["alertname"]
        active[name] = "firing" if "firing" in (alert["state"], active.get(name)) else "pending"
    for name, state in sorted(active.items()):
        print(f"{state} | {name}")
    for name in sorted(EXPECTED - set(active)):
        report.fail(f"{name} is not active, and should be under this load")
    for name in sorted(UNEXPECTED & set(active)):
        report.fail(f"{name} is active, and should not be under this load")


def make_models(project, directory):
    """The bundled ones, and one that is broken."""
    for model in (project / "models").iterdir():
        (directory / model.name).symlink_to(model)
    broken = directory / "broken" / "1"
    shutil.copytree(project / "models" / "efficientnet-lite0" / "1", broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])


def make_certificate(directory):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "10",
         "-keyout", directory / "key.pem", "-out", directory / "cert.pem", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)


def run(report, binary, project, directory, seconds, dashboard, alerts, used, recorded):
    (directory / "models").mkdir()
    make_models(project, directory / "models")
    make_certificate(directory)
    children = []
    try:
        def start(child):
            children.append(child)
            return child

        models, limit = str(directory / "models"), ["--max-body-bytes", str(load.BODY_LIMIT)]
        plain = start(Server(binary, models, directory / "plain.log", limit))
        secure = start(Server(binary, models, directory / "secure.log", limit + [
            "--tls-certificate", str(directory / "cert.pem"), "--tls-key", str(directory / "key.pem")]))
        families = exposed_families([plain.admin, secure.admin])
        check_names(report, families, used, recorded)
        conditional = set(CONDITIONAL) - set().union(*families.values())
        prometheus = start(Prometheus(
            project / "deploy/prometheus/prometheus.yml", [f"127.0.0.1:{server.admin}" for server in (plain, secure)], directory))
        photo = (project / "Tests/Fixtures/photo/chelsea.jpg").read_bytes()
        with load.Load(plain, secure, directory / "cert.pem", photo) as clients:
            time.sleep(seconds / 2)
            status = load.reload_broken_model(plain.admin)
            print(f"load of the broken model: {status}")
            if status != 422:
                report.fail(f"the broken model's load is answered with {status}")
            time.sleep(seconds / 2)
            print("answers: " + ", ".join(f"{' '.join(map(str, key))}: {count}" for key, count in sorted(clients.counts.items(), key=str)))
            for kind in sorted(load.KINDS - set(clients.counts), key=str):
                report.fail(f"the load did not get {' '.join(map(str, kind))}")
            print("\nfrom | name | series | largest value | query")
            check_data(report, prometheus, rows_of(dashboard, alerts, recorded), conditional)
            print("\nvariables")
            check_variables(report, prometheus, dashboard)
            print("\nalerts under this load")
            check_active(report, prometheus)
    finally:
        for child in reversed(children):
            code = child.stop()
            if code:
                report.fail(f"{child.log.name}: exit code {code}\n{child.text()[-2000:]}")


def main():
    binary, project, seconds = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), float(sys.argv[3])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("check-monitoring: ended by a signal"))
    report = Report()
    all_rules = list(rules(project / "deploy/prometheus"))
    alerts = [rule for rule in all_rules if "alert" in rule]
    recorded = {rule["record"]: None for rule in all_rules if "record" in rule}
    dashboard = json.loads((project / "deploy/grafana/swiftlet.json").read_text())
    for error in grafana.errors(dashboard):
        report.fail(f"deploy/grafana/swiftlet.json: {error}")
    panels = list(grafana.queries(dashboard))
    expressions = [query for _, _, query in panels] + [item["expr"] for item in dashboard["annotations"]["list"]]
    print(f"dashboard: {len(dashboard['panels'])} panels and rows, {len(panels)} queries, held to Grafana's schema")
    check_alerts(report, project, alerts)
    used = {name for text in [*expressions, *(selector for _, selector, _ in grafana.variables(dashboard)),
                              *(rule["expr"] for rule in all_rules)] for name, _ in promql.selectors(grafana.substituted(text))}
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        check_parse(report, expressions, directory)
        run(report, binary, project, directory, seconds, dashboard, alerts, used, set(recorded))
    if report.failures:
        raise SystemExit(f"check-monitoring: {len(report.failures)} failed:\n  " + "\n  ".join(report.failures))
    print("check-monitoring: every query has data")


if __name__ == "__main__":
    main()
