"""Holds services to their own descriptions, by schemathesis with all of its checks.

usage: check.py BINARY REPOSITORY_OF_THE_PROJECT SEED
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

from openapi_spec_validator import validate

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "TritonClient"))

from served import served_at  # noqa: E402

# Of each operation, where an operation has so many.
EXAMPLES = 40


def check(name, address, seed, key=None):
    """Tries a service by what it says of itself."""
    url = f"http://{address}/openapi.json"
    with urllib.request.urlopen(url) as answer:
        document = json.load(answer)
    validate(document)
    assert (key is not None) == ("securitySchemes" in document["components"]), "keys are asked for, or not"
    count = sum(len(methods) for methods in document["paths"].values())
    print(f"{name}: a valid document of {count} operations; seed {seed}", flush=True)
    schemathesis = pathlib.Path(sys.executable).parent / "schemathesis"
    # What it leaves behind stays out of the project.
    with tempfile.TemporaryDirectory() as directory:
        # As a credential and no header, or requests that should lack it would have it.
        settings = f'[auth.openapi.key]\nbearer = "{key}"\n' if key else ""
        (pathlib.Path(directory) / "schemathesis.toml").write_text(settings)
        status = subprocess.run(
            [schemathesis, "run", url, "--checks", "all", "--phases", "examples,coverage,fuzzing,stateful",
             # Its own description, too, which it leaves out by itself.
             "--include-path-regex", ".*",
             "--mode", "all", "--seed", seed, "--max-examples", str(EXAMPLES), "--continue-on-failure",
             # How slowly examples are made says nothing of the service.
             "--suppress-health-check", "all", "--generation-database", "none", "--request-timeout", "30"],
            env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)}, cwd=directory).returncode
    if status != 0:
        raise SystemExit(f"FAILED: {name}: schemathesis ended with status {status}")


@contextlib.contextmanager
def models(project):
    """The bundled models, and one that may come and go."""
    with tempfile.TemporaryDirectory() as directory:
        repository = pathlib.Path(directory)
        bundled = sorted((project / "models").iterdir())
        for model in bundled:
            (repository / model.name).symlink_to(model)
        (repository / "spare").symlink_to(bundled[0])
        yield str(repository)


def main(binary, project, seed):
    project = pathlib.Path(project).resolve()
    common = ["--model", "efficientnet-lite0", "--threads", "2"]
    with models(project) as repository, tempfile.TemporaryDirectory() as directory:
        with served_at(binary, repository, *common) as addresses:
            check("open to all", addresses["listening"], seed)
        keys = pathlib.Path(directory) / "keys.txt"
        key = subprocess.run(
            [binary, "key", "check", "--rights", "inference,admin", "--append", str(keys)],
            check=True, capture_output=True, text=True).stdout.strip()
        flags = ["--api-keys-file", str(keys), "--admin-address", "127.0.0.1:0"]
        with served_at(binary, repository, *common, *flags) as addresses:
            for name in ["listening", "administration"]:
                check(f"with keys, {name}", addresses[name], seed, key)
    print("passed")


main(*sys.argv[1:])
