"""Holds deploy/ to the published schemas, to systemd's own tools, and to the real binary.

`check.py BINARY [PART…]`, with the parts manifests, probes, kserve, systemd and quota. CRDS names a directory of
custom resource definitions: the Prometheus operator's and KServe's.
"""
import os
import sys
from pathlib import Path

import kserve
import manifests
import probes
import quota
import units
from report import Report


def main():
    root = Path(__file__).resolve().parents[2]
    binary = sys.argv[1]
    parts = sys.argv[2:] or ["manifests", "probes", "kserve", "systemd", "quota"]
    report = Report()
    kubectl = Path(sys.executable).parent / "kubectl"
    if "manifests" in parts:
        manifests.check(report, kubectl, root, os.environ.get("CRDS"))
    if "probes" in parts:
        probes.check(report, binary, root, manifests.build(kubectl, root / "deploy/kubernetes/base"))
    if "kserve" in parts:
        kserve.check(report, binary, root, manifests.build(kubectl, root / "deploy/kserve"))
    if "systemd" in parts:
        units.check(report, binary, root)
    if "quota" in parts:
        quota.check(report, binary, root)
    print(f"\ncheck-deploy: {report.checks - report.failures} of {report.checks} checks hold" + (f", {report.skipped} could not be made" if report.skipped else ""))
    sys.exit(report.failures > 0)


main()
