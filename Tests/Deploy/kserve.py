"""The ServingRuntime's own arguments on directories as the storage initializer lays them, and KServe's calls."""
import json
import shutil
import struct
import tempfile
from pathlib import Path

from manifests import one
from server import Server


def check(report, binary, root, documents):
    report.section("KServe: the ServingRuntime's container on what /mnt/models may hold")
    runtime, service = one(documents, "ServingRuntime"), one(documents, "InferenceService")
    container, = runtime["spec"]["containers"]
    predictor = service["spec"]["predictor"]
    formats = {(f["name"], f["version"]) for f in runtime["spec"]["supportedModelFormats"]}
    model = predictor["model"]
    report.check("the InferenceService's format and protocol are the runtime's",
                 (model["modelFormat"]["name"], model["modelFormat"]["version"]) in formats
                 and model["protocolVersion"] in runtime["spec"]["protocolVersions"]
                 and model["runtime"] == runtime["metadata"]["name"])
    settings = json.loads((root / "config.json").read_text())
    drain = settings["drainDelaySeconds"] + settings["drainTimeoutSeconds"]
    grace = predictor["terminationGracePeriodSeconds"]
    report.check("the grace period is the drain's and 5 s at least", grace >= drain + 5, f"{grace} s for {drain} s")
    ports = {p["containerPort"] for p in container["ports"]}
    flags = dict(a.removeprefix("--").split("=", 1) for a in container["args"] if a.startswith("--"))
    report.check("the port is the flag's", ports == {int(flags["port"])}, f"{ports}")
    report.check("metrics are annotated where they are",
                 flags["admin-address"].endswith(":" + runtime["spec"]["annotations"]["prometheus.kserve.io/port"]))
    name = service["metadata"]["name"]
    source = root / "models/efficientnet-lite0/1"
    layouts = {"model.json": "", "VERSION/model.json": "1", "NAME/VERSION/model.json": f"{name}/1"}
    for layout, place in layouts.items():
        with tempfile.TemporaryDirectory() as directory:
            shutil.copytree(source, Path(directory, place), dirs_exist_ok=True)
            expanded = [a.replace("{{.Name}}", name).replace("/mnt/models", directory) for a in container["args"]]
            assert not any("{{" in a for a in expanded), expanded
            # Ports that are free take the place of the container's own.
            expanded += ["--host=127.0.0.1", "--port=0", "--admin-address=127.0.0.1:0"]
            expanded = list({a.split("=")[0]: a for a in expanded}.values())
            with tempfile.TemporaryDirectory() as work, Server([binary, *expanded], directory=work) as server:
                calls(report, server, layout, name, container, root)


def calls(report, server, layout, name, container, root):
    probes = [container[p]["httpGet"]["path"] for p in ("startupProbe", "readinessProbe", "livenessProbe")]
    statuses = [server.request("GET", path)[0] for path in probes]
    statuses.append(server.request("GET", f"/v2/models/{name}/ready")[0])
    status, metadata = server.json("GET", f"/v2/models/{name}")
    report.check(f"{layout}: probes, ready, metadata", statuses + [status] == [200] * 5 and metadata["name"] == name,
                 f"{metadata['name']}, versions {metadata['versions']}, {[i['name'] for i in metadata['inputs']]}")
    photo = (root / "Tests/Fixtures/photo/chelsea.jpg").read_bytes()
    body = struct.pack("<I", len(photo)) + photo
    head = json.dumps({"inputs": [{
        "name": metadata["inputs"][0]["name"], "shape": [1], "datatype": "BYTES",
        "parameters": {"binary_data_size": len(body)}}],
        "outputs": [{"name": metadata["outputs"][0]["name"], "parameters": {"classification": 1}}]}).encode()
    status, answer = server.json("POST", f"/v2/models/{name}/infer", head + body,
                                 fields={"Inference-Header-Content-Length": str(len(head))})
    found = answer["outputs"][0]["data"][0] if status == 200 else answer
    report.check(f"{layout}: infer", status == 200 and "cat" in found, f"{found}")
    report.check(f"{layout}: metrics", server.metrics("administration")["swiftlet_compute_threads"] >= 1)
