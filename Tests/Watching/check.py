"""Watches `swiftlet serve` with others' programs: its spans, its metrics and its access log. See scripts/check-watching."""
import atexit
import collections
import http.client
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client import openmetrics, parser as text_parser
import prometheus_client.openmetrics.parser

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
OPEN_METRICS = "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;version=0.0.4;q=0.5"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
FLUSH_REASONS = {"full", "delay", "idle", "drain"}
failures = 0


def check(what, holds, figure=""):
    global failures
    failures += not holds
    print(f"{'ok   ' if holds else 'WRONG'}  {what:<72} {figure}", flush=True)


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes spans; refuses what `ExportTraceServiceRequest` does not read strictly."""
    spans, faults, types, services = [], [], set(), set()
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = ExportTraceServiceRequest()
        try:
            # In JSON, ids are hexadecimal where protobuf's own JSON would have base64.
            json_format.ParseDict(with_base64_ids(json.loads(body)), request, ignore_unknown_fields=False)
        except (json_format.ParseError, ValueError) as error:
            self.faults.append(str(error))
            return self.answer(400)
        self.types.add((self.path, self.headers["Content-Type"]))
        for resource in request.resource_spans:
            self.services.update(
                pair.value.string_value for pair in resource.resource.attributes if pair.key == "service.name")
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def with_base64_ids(value):
    import base64
    if isinstance(value, list):
        return [with_base64_ids(element) for element in value]
    if not isinstance(value, dict):
        return value
    lengths = {"traceId": 32, "spanId": 16, "parentSpanId": 16}
    result = {}
    for key, element in value.items():
        if key in lengths:
            if not re.fullmatch("[0-9a-f]{%d}" % lengths[key], element):
                raise ValueError(f"{key} is {element!r}")
            result[key] = base64.b64encode(bytes.fromhex(element)).decode()
        else:
            result[key] = with_base64_ids(element)
    return result


class Server:
    def __init__(self, binary, *flags):
        self.process = subprocess.Popen(
            [binary, "serve", "--host", "127.0.0.1", "--port", "0", "--load-models", "efficientnet-lite0-int8",
             "--drain-delay-seconds", "0", "--log-format", "json", *flags],
            cwd=ROOT, stderr=subprocess.PIPE, text=True)
        atexit.register(self.process.kill)
        self.log, self.port = [], None
        for line in self.process.stderr:
            if match := re.match(r"listening on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(match[1])
                break
            self.log.append(line)
        if self.port is None:
            raise SystemExit(f"no ready line: {''.join(self.log)}")
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def get(self, path, **fields):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path, headers=fields)
        answer = connection.getresponse()
        return answer, answer.read().decode()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None


def load(port, photo, count, clients=8):
    """Classifies `count` times over kept connections; the statuses, and the ids of the requests."""
    statuses, ids, turn = collections.Counter(), set(), iter(range(count))
    lock = threading.Lock()

    def run():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while True:
            with lock:
                number = next(turn, None)
            if number is None:
                return connection.close()
            headers = {"Content-Type": "image/jpeg"}
            if number % 10 == 0:
                headers["traceparent"] = f"00-{TRACE}-{number + 1:016x}-{'01' if number % 20 == 0 else '00'}"
            connection.request("POST", "/v1/classify", photo, headers)
            answer = connection.getresponse()
            answer.read()
            with lock:
                statuses[answer.status] += 1
                ids.add(answer.headers["X-Request-Id"])

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses, ids


def check_spans(spans, count):
    """`count`: of requests, half of them by each of two calls of `load`."""
    servers = [span for span in spans if span.kind == 2 and span.name == "POST /v1/classify"]
    children = collections.defaultdict(list)
    for span in spans:
        if span.kind == 1:
            children[span.parent_span_id].append(span)
    sent = [span for span in servers if span.trace_id.hex() == TRACE]
    parents = collections.Counter(span.parent_span_id.hex() for span in sent)
    check("every request is a span, but for those whose client does not sample", len(servers) == count - count // 20,
          f"{len(servers)} of {count}")
    check("a client's trace and span are gone on with",
          parents == {f"{number + 1:016x}": 2 for number in range(0, count // 2, 20)}, f"{len(sent)}")
    begun = [span.trace_id.hex() for span in servers if span.trace_id.hex() != TRACE]
    check("every other request is a trace of its own", len(set(begun)) == len(begun) > 0
          and not any(span.parent_span_id for span in servers if span.trace_id.hex() != TRACE), f"{len(begun)}")
    requests = {span.span_id: span.trace_id for span in spans if span.kind == 2}
    check("no step is without its request", all(
        requests.get(parent) == step.trace_id for parent, steps in children.items() for step in steps))
    names = collections.Counter(step.name for of in children.values() for step in of)
    check("read, decode, resize, compute and encode are spans of each",
          all({"read", "decode", "resize", "compute", "encode"} <= {c.name for c in children[s.span_id]} for s in servers),
          ", ".join(f"{name} {number}" for name, number in sorted(names.items())))
    slack = 200_000
    check("steps lie within their request", all(
        span.start_time_unix_nano - slack <= step.start_time_unix_nano <= step.end_time_unix_nano
        <= span.end_time_unix_nano + slack for span in servers for step in children[span.span_id]))
    check("span ids are all different", len({span.span_id for span in spans}) == len(spans), f"{len(spans)}")


def check_metrics(server):
    answer, page = server.get("/metrics", Accept=OPEN_METRICS)
    check("OpenMetrics is what Accept prefers", answer.headers["Content-Type"].startswith("application/openmetrics-text"))
    families = list(openmetrics.parser.text_string_to_metric_families(page))
    check("prometheus_client's OpenMetrics parser reads the page", len(families) > 20, f"{len(families)} families")
    open_metrics = {(family.name, family.type) for family in families}
    exemplars = [sample.exemplar for family in families for sample in family.samples if sample.exemplar]
    check("buckets have exemplars", len(exemplars) > 0, f"{len(exemplars)}")
    answer, page = server.get("/metrics", Accept="text/plain;version=0.0.4")
    families = list(text_parser.text_string_to_metric_families(page))
    check("the text format has the same families and no exemplars",
          answer.headers["Content-Type"].startswith("text/plain; version=0.0.4") and "trace_id" not in page
          and {(family.name, family.type) for family in families} == open_metrics, f"{len(families)} families")
    values = {(sample.name, *sorted(sample.labels.items())): sample.value for family in families for sample in family.samples}
    return {exemplar.labels["trace_id"] for exemplar in exemplars}, values


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main():
    binary = sys.argv[1]
    with open(os.path.join(ROOT, "Tests", "Fixtures", "photo", "chelsea.jpg"), "rb") as file:
        photo = file.read()
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
    count = 600
    with tempfile.TemporaryDirectory() as scratch:
        log = os.path.join(scratch, "access.log")
        server = Server(binary, "--access-log", log, "--otlp-endpoint", endpoint, "--slow-request-milliseconds", "1")
        statuses, ids = load(server.port, photo, count // 2)
        os.rename(log, log + ".1")
        # Some go on while the file is renamed and opened anew.
        thread = threading.Thread(target=lambda: (time.sleep(0.2), server.process.send_signal(signal.SIGHUP)))
        thread.start()
        more, others = load(server.port, photo, count // 2)
        thread.join()
        statuses.update(more)
        check("every request is answered with 200", statuses == {200: count}, f"{dict(statuses)}")
        trace_ids, values = check_metrics(server)
        _, batches = server.get("/debug/batches")
        batches = json.loads(batches)["batches"]
        check("/debug/batches has the last batches", len(batches) == 64 and all(
            batch["size"] >= 1 and batch["reason"] in FLUSH_REASONS and batch["compute_ms"] > 0
            and 0 <= batch["queue_ms"]["min"] <= batch["queue_ms"]["median"] <= batch["queue_ms"]["max"] for batch in batches),
            f"sizes up to {max(batch['size'] for batch in batches)}")
        code = server.stop()
        check("the service drains", code == 0, f"exit code {code}")
        server.reader.join(5)
        entries = [json.loads(line) for line in server.log if line.startswith("{")]
        slow = [entry for entry in entries if entry["message"] == "slow request"]
        check("slow requests are warnings of some a second, with stages", 0 < len(slow) < count // 4
              and all("compute_ms" in entry["metadata"] for entry in slow), f"{len(slow)}")
        old, new = read_lines(log + ".1"), read_lines(log)
        lines = [line for line in old + new if line["route"] == "/v1/classify"]
        check("the access log has every request, across its rotation", {line["request_id"] for line in lines} == ids | others
              and len(lines) == count and len(old) > 0 and len(new) > 0, f"{len(old)} lines and {len(new)}")
        check("no line was lost", values[("swiftlet_log_lines_lost_total", ("log", "access"))] == 0)
        check("lines name the batch, the model and all stages", all(
            line["batch_size"] >= 1 and line["model"] == "efficientnet-lite0-int8"
            and {"read", "decode", "resize", "queue", "compute", "encode"} <= set(line["stages_ms"]) for line in lines))
    check("the collector refused nothing", not Collector.faults, "; ".join(Collector.faults[:1]))
    check("it was asked by POST /v1/traces with application/json", Collector.types == {("/v1/traces", "application/json")})
    check("spans are of the service swiftlet", Collector.services == {"swiftlet"}, f"{Collector.services}")
    check_spans(Collector.spans, count)
    exported = {span.trace_id.hex() for span in Collector.spans}
    logged = {line.get("trace_id") for line in lines}
    check("exemplars' traces are exported, and lie in the access log", len(trace_ids) > 0 and trace_ids <= exported & logged,
          f"{len(trace_ids & exported)} of {len(trace_ids)} exported, {len(trace_ids & logged)} logged")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
