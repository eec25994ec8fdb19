"""Holds deploy/ to the published schemas, to systemd's own tools, and to the real binary.

CRDS names a directory of custom resource definitions: the Prometheus operator's and KServe's. What cannot be checked
here is an error, but for what --allow-missing names.
"""
import argparse
import os
import sys
from pathlib import Path

import kserve
import manifests
import probes
import quota
import units
from report import MISSING, Report

PARTS = ("manifests", "probes", "kserve", "systemd", "quota")


def main():
    parser = argparse.ArgumentParser(prog="check-deploy", description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--allow-missing", action="append", default=[], choices=list(MISSING),
                        help="; ".join(f"{key}: {what}" for key, what in MISSING.items()))
    arguments = parser.parse_intermixed_args()
    parts = arguments.parts or PARTS
    for part in parts:
        if part not in PARTS:
            parser.error(f"there is no part '{part}': {', '.join(PARTS)}")
    root, binary = Path(__file__).resolve().parents[2], arguments.binary
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
    print(f"\ncheck-deploy: {report.checks - report.failures} of {report.checks} checks hold")
    complaints = report.complaints(arguments.allow_missing)
    for complaint in complaints:
        print(f"check-deploy: {complaint}", file=sys.stderr)
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
