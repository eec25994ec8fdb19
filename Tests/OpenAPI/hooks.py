"""What schemathesis cannot know from the document: what images look like, and which bytes and headers belong together.

Requests that are meant to be wrong are left as they are.
"""

import base64
import json
import pathlib
import random
import struct

import schemathesis
from hypothesis import strategies as st

FIXTURES = pathlib.Path(__file__).parent.parent / "Fixtures"
JPEG = ["420", "444", "cmyk", "grayscale", "one-pixel", "orientation-6", "progressive", "restart", "ycck"]
PNG = ["gray-1", "gray-16-adam7", "extras", "exif-before"]
WEBP = ["lossy", "lossless", "lossy-alpha", "animated", "one-pixel"]


def pictures(folder, names):
    return [(FIXTURES / folder / f"{name}.{folder.replace('jpeg', 'jpg')}").read_bytes() for name in names]


JPEG, PNG, WEBP = pictures("jpeg", JPEG), pictures("png", PNG), pictures("webp", WEBP)
ALL = JPEG + PNG + WEBP

schemathesis.openapi.media_type("image/jpeg", st.sampled_from(JPEG))
schemathesis.openapi.media_type("image/png", st.sampled_from(PNG))
schemathesis.openapi.media_type("image/webp", st.sampled_from(WEBP))
# Bytes whose type is not told are images, too; /v2 makes its own of them below.
schemathesis.openapi.media_type("application/octet-stream", st.sampled_from(ALL))
# The only text of that format is an image in JSON.
schemathesis.openapi.format("byte", st.sampled_from([base64.b64encode(picture).decode() for picture in ALL]))

# The models of the check's own repository: SPARE comes and goes, the others stay, so that something answers.
MODELS, SPARE = ["efficientnet-lite0", "efficientnet-lite0-int8"], "spare"


def is_negative(case):
    return case.meta is None or case.meta.generation.mode.is_negative


@schemathesis.hook
def filter_case(context, case):
    """A header that nobody knows makes no request wrong: RFC 9110 §5.1 has it ignored."""
    return "x-schemathesis-unknown-property" not in {name.lower() for name in case.headers or {}}


@schemathesis.hook
def before_call(context, case, kwargs):
    # A deadline that cannot be met is answered with 503 or 504, which schemathesis takes for the server's fault.
    deadline = str((case.headers or {}).get("X-Request-Deadline-Ms", ""))
    if deadline.isascii() and deadline.isdigit() and 0 < int(deadline) < 600_000:
        case.headers["X-Request-Deadline-Ms"] = str(600_000 + int(deadline))
    if is_negative(case):
        # A wrong request to unload something must not unload what the others ask for.
        if case.operation.path.endswith("/unload") and (case.path_parameters or {}).get("name") in MODELS:
            case.path_parameters["name"] = SPARE
        return
    # Of the text drawn: the same request is the same again.
    dice = random.Random(repr((case.path_parameters, case.query, case.operation.label, len(repr(case.body)))))
    parameters = case.path_parameters or {}
    if case.operation.path.startswith("/v2/repository/models/"):
        if dice.random() < 0.8 or parameters.get("name") in MODELS and case.operation.path.endswith("/unload"):
            parameters["name"] = SPARE
    else:
        for name in {"name", "model"} & set(parameters):
            if dice.random() < 0.8:
                parameters[name] = dice.choice(MODELS)
        if "version" in parameters and dice.random() < 0.8:
            parameters["version"] = 1
    if case.operation.path.endswith("/infer"):
        infer(case, dice)


def infer(case, dice):
    """A request whose shape, elements and header agree, with what was drawn of the rest."""
    drawn = case.body if isinstance(case.body, dict) else {}
    request = {key: drawn[key] for key in ("id", "parameters", "outputs") if key in drawn}
    # Deadlines that pass are for other tests, and so are outputs asked for twice.
    request.get("parameters", {}).pop("timeout", None)
    request["outputs"] = list({output["name"]: output for output in request.get("outputs", [])}.values())
    headers = case.headers
    headers.pop("Inference-Header-Content-Length", None)
    if case.media_type == "application/json":
        form = dice.choice(["UINT8", "FP32"])
        shape = [1, 224, 224, 3] if form == "UINT8" else [1, 3, 224, 224]
        request["inputs"] = [
            {"name": "input", "datatype": form, "shape": shape, "data": [dice.randrange(2)] * (224 * 224 * 3)}]
        case.body = request
        return
    pictures = [dice.choice(ALL) for _ in range(dice.randrange(4))]
    if not pictures:
        case.body = dice.choice(ALL)
        headers["Inference-Header-Content-Length"] = "0"
        return
    data = b"".join(struct.pack("<I", len(picture)) + picture for picture in pictures)
    request["inputs"] = [{"name": "input", "datatype": "BYTES", "shape": [len(pictures)],
                          "parameters": {"binary_data_size": len(data)}}]
    text = json.dumps(request).encode()
    case.body = text + data
    headers["Inference-Header-Content-Length"] = str(len(text))
