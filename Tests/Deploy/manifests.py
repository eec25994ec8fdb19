"""The manifests by themselves: kustomize builds them, and they are what the published schemas say."""
import re
import subprocess
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

VERSION = "1.37"
CUSTOM = {"ServiceMonitor", "ServingRuntime", "InferenceService"}


def build(kubectl, directory):
    text = subprocess.run([kubectl, "kustomize", directory], check=True, capture_output=True, text=True).stdout
    return [document for document in yaml.safe_load_all(text) if document]


def one(documents, kind, name=None):
    found = [d for d in documents if d["kind"] == kind and name in (None, d["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]


def closed(schema):
    """The schema of a custom resource as a cluster holds it: what it does not name is not there."""
    if isinstance(schema, list):
        return [closed(element) for element in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema \
            and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema["additionalProperties"] = False
    if schema.pop("x-kubernetes-int-or-string", False):
        schema.pop("type", None)
        schema.pop("anyOf", None)
        schema["type"] = ["integer", "string"]
    return schema


def custom_schemas(directory):
    schemas = {}
    for path in Path(directory).glob("*.y*ml"):
        for crd in yaml.load_all(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            for version in crd["spec"]["versions"]:
                schema = closed(version["schema"]["openAPIV3Schema"])
                # Every object may have these; the schema has them as an object of anything.
                schema["properties"]["metadata"] = {"type": "object"}
                schemas[f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]] = schema
    return schemas


def check(report, kubectl, root, crds):
    report.section(f"manifests, by kustomize and the schemas of Kubernetes {VERSION}, strict")
    schemas = custom_schemas(crds) if crds else {}
    built = {}
    directories = ["kubernetes/base"] + sorted(f"kubernetes/overlays/{d.name}"
                                               for d in (root / "deploy/kubernetes/overlays").iterdir()) + ["kserve"]
    for name in directories:
        documents = built[name] = build(kubectl, root / "deploy" / name)
        plain = [d for d in documents if d["kind"] not in CUSTOM]
        faults = []
        for document in plain:
            try:
                kubernetes_validate.validate(document, VERSION, strict=True)
            except kubernetes_validate.ValidationError as error:
                faults.append(f"{document['kind']} {'.'.join(map(str, error.path))}: {error.message}")
        report.check(name, not faults, "; ".join(faults) or f"{len(plain)} of {len(documents)} objects are built in")
        for document in documents:
            if document["kind"] in CUSTOM:
                what = f"{name}: {document['kind']}"
                schema = schemas.get((document["apiVersion"], document["kind"]))
                if not crds:
                    report.skip("crds", what, "not held to its schema: CRDS names no directory of custom resource definitions")
                    continue
                error = jsonschema.exceptions.best_match(
                    jsonschema.Draft202012Validator(schema).iter_errors(document)) if schema else "no such schema"
                report.check(what, error is None, f"{document['apiVersion']}" if error is None else str(error)[:300])
    checked_twice(report, built, schemas)
    relations(report, built)
    return built


def checked_twice(report, built, schemas):
    """Both validators must find a fault, or they would find none anywhere."""
    import copy
    wrong = copy.deepcopy(one(built["kubernetes/base"], "Deployment"))
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    try:
        kubernetes_validate.validate(wrong, VERSION, strict=True)
        found = False
    except kubernetes_validate.ValidationError:
        found = True
    report.check("a misspelt key of a Deployment is found", found)
    if schemas:
        wrong = copy.deepcopy(one(built["kserve"], "ServingRuntime"))
        wrong["spec"]["containers"][0]["imagee"] = "x"
        schema = schemas[wrong["apiVersion"], wrong["kind"]]
        report.check("a misspelt key of a ServingRuntime is found",
                     not jsonschema.Draft202012Validator(schema).is_valid(wrong))


def relations(report, built):
    """What no schema says: that the objects mean each other."""
    report.section("that the objects fit each other")
    for name, documents in built.items():
        if not name.startswith("kubernetes"):
            continue
        deployment = one(documents, "Deployment")
        template = deployment["spec"]["template"]
        labels = template["metadata"]["labels"]
        pod = template["spec"]
        container = pod["containers"][0]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        faults = []

        def expect(condition, what):
            if not condition:
                faults.append(what)

        selectors = {
            "Deployment": deployment["spec"]["selector"]["matchLabels"],
            "PodDisruptionBudget": one(documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
            "NetworkPolicy": one(documents, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        }
        services = [d for d in documents if d["kind"] == "Service"]
        selectors |= {f"Service {s['metadata']['name']}": s["spec"]["selector"] for s in services}
        for number, constraint in enumerate(pod["topologySpreadConstraints"]):
            selectors[f"topologySpreadConstraint {number}"] = constraint["labelSelector"]["matchLabels"]
        for who, selector in selectors.items():
            expect(selector and selector.items() <= labels.items(), f"{who} selects {selector}")
        for service in services:
            for port in service["spec"]["ports"]:
                expect(port["targetPort"] in ports, f"{service['metadata']['name']} leads to {port['targetPort']}")
        main = one(documents, "Service", "swiftlet")["spec"]["ports"]
        expect([p["targetPort"] for p in main] == ["http"], "the clients' Service leads to another port than http")
        for rule in one(documents, "NetworkPolicy")["spec"]["ingress"]:
            for port in rule["ports"]:
                expect(port["port"] in ports, f"the NetworkPolicy allows {port['port']}")
                expect(port["port"] != "admin" or rule.get("from"), "the admin port is open to all")
        scaler = one(documents, "HorizontalPodAutoscaler")["spec"]
        expect(scaler["scaleTargetRef"]["name"] == deployment["metadata"]["name"], "the autoscaler scales another")
        expect("replicas" not in deployment["spec"], "replicas beside an autoscaler")
        expect(1 < scaler["minReplicas"] <= scaler["maxReplicas"], "one replica only: a disruption takes all")
        volumes = {volume["name"] for volume in pod["volumes"]}
        mounts = {mount["name"] for mount in container["volumeMounts"]}
        expect(volumes == mounts, f"volumes {volumes}, mounts {mounts}")
        expect(all(mount["readOnly"] for mount in container["volumeMounts"]), "a mount that can be written")
        config = one(documents, "ConfigMap")["metadata"]["name"]
        volume = next(v for v in pod["volumes"] if v["name"] == "config")
        expect(volume["configMap"]["name"] == config and re.search(r"-[a-z0-9]{10}$", config), "another ConfigMap")
        environment = {v["name"]: v["value"] for v in container.get("env", [])}
        paths = {mount["mountPath"] for mount in container["volumeMounts"]}
        expect(environment.get("SWIFTLET_MODELS", "/models") in paths or "models" not in volumes, "models elsewhere")
        for monitor in (d for d in documents if d["kind"] == "ServiceMonitor"):
            wanted = monitor["spec"]["selector"]["matchLabels"].items()
            chosen = [s for s in services if wanted <= s["metadata"].get("labels", {}).items()]
            expect([s["metadata"]["name"] for s in chosen] == ["swiftlet-admin"], "the ServiceMonitor's selector")
            served = {p["name"] for s in chosen for p in s["spec"]["ports"]}
            expect({e["port"] for e in monitor["spec"]["endpoints"]} <= served, "the ServiceMonitor's port")
        expect(restricted(pod, container), "not of the restricted Pod Security Standard")
        report.check(name, not faults, "; ".join(faults) or f"{len(selectors)} selectors, {len(ports)} ports")


def restricted(pod, container):
    """Source: Pod Security Standards, restricted; and what it leaves open."""
    of_pod, of_container = pod["securityContext"], container["securityContext"]
    return (of_pod["runAsNonRoot"] is True and of_pod["runAsUser"] > 0
            and of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
            and of_container["allowPrivilegeEscalation"] is False and of_container["capabilities"] == {"drop": ["ALL"]}
            and of_container["readOnlyRootFilesystem"] is True and pod["automountServiceAccountToken"] is False
            and pod["enableServiceLinks"] is False
            and not any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))
            and all(set(v) - {"name"} <= {"configMap", "image", "persistentVolumeClaim"} for v in pod["volumes"]))
