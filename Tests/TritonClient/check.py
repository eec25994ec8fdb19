"""Drives every call of the Open Inference Protocol's HTTP client, unmodified from PyPI, against a service of its own.

usage: check.py BINARY REPOSITORY_OF_THE_PROJECT
"""

import asyncio
import importlib.metadata
import io
import json
import pathlib
import sys
import urllib.request

import numpy as np
import tritonclient.http as http
import tritonclient.http.aio as http_aio
from PIL import Image

import checking
from checking import check, fails, same
from pictures import normalised, pixels
from repository import loading, rights
from served import served

FP32, INT8 = "efficientnet-lite0", "efficientnet-lite0-int8"


def encoded(jpegs, shape=None):
    tensor = http.InferInput("input", shape or [len(jpegs)], "BYTES")
    tensor.set_data_from_numpy(np.array(jpegs, dtype=object).reshape(shape or [len(jpegs)]))
    return [tensor]


def tensor(array, datatype, binary=True):
    tensor = http.InferInput("input", list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return [tensor]


def output(name, **more):
    return http.InferRequestedOutput(name, **more)


def server(client):
    """Metadata, health, configuration, statistics."""
    check(client.is_server_live() and client.is_server_ready(), "the server is live and ready")
    check(client.is_model_ready(FP32) and client.is_model_ready(FP32, "1"), "the model is ready")
    check(not client.is_model_ready("nobody") and not client.is_model_ready(FP32, "9"), "others are not")
    metadata = client.get_server_metadata()
    check(metadata["name"] == "swiftlet" and "binary_tensor_data" in metadata["extensions"], "the server's metadata")
    for arguments in [(FP32,), (FP32, "1")]:
        model = client.get_model_metadata(*arguments)
        check(model["versions"] == ["1"], "versions are strings")
        check(model["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 3, 224, 224]}], "the input")
        check([(o["name"], o["shape"]) for o in model["outputs"]] == [("probabilities", [-1, 1000]), ("logits", [-1, 1000])],
              "the outputs")
        config = client.get_model_config(*arguments)
        check(config["max_batch_size"] == 64 and config["input"][0]["dims"] == [3, 224, 224], "the configuration")
    fails(lambda: client.get_model_metadata("nobody"), 404, "no model is called 'nobody'", "an unknown model")
    fails(lambda: client.get_model_metadata(FP32, "x"), 400, "version", "a version that is no number")


def forms(client, model, jpeg, prepared):
    """The same picture in every form gives the same bits."""
    everything = [output("features"), output("logits"), output("probabilities")]
    base = client.infer(model, encoded([jpeg]), outputs=everything)
    check(base.get_response()["model_name"] == model and base.get_response()["model_version"] == "1", "who has answered")
    logits, probabilities = base.as_numpy("logits"), base.as_numpy("probabilities")
    check(logits.shape == (1, 1000) and base.as_numpy("features").shape == (1, 1280), "shapes")
    check(abs(float(probabilities.sum()) - 1) < 1e-5, "probabilities add up to 1")
    check(int(logits.argmax()) == int(probabilities.argmax()) == 285, "the cat is a cat")
    raw, planar = prepared
    inputs = {
        "BYTES [1, 1]": encoded([jpeg], [1, 1]),
        "UINT8": tensor(raw[None], "UINT8"),
        "UINT8 as JSON": tensor(raw[None], "UINT8", binary=False),
        "FP32": tensor(planar[None], "FP32"),
        "FP32 as JSON": tensor(planar[None], "FP32", binary=False),
    }
    for form, given in inputs.items():
        for binary in [True, False]:
            outputs = [output(name, binary_data=binary) for name in ["probabilities", "logits", "features"]]
            result = client.infer(model, given, outputs=outputs)
            for name in ["logits", "probabilities", "features"]:
                same(result.as_numpy(name), base.as_numpy(name), f"{model}: {name} of {form}, binary output {binary}")
    # Without outputs: all of the metadata, as binary data.
    plain = client.infer(model, encoded([jpeg]), model_version="1", request_id="an id")
    check(plain.get_response()["id"] == "an id", "the id comes back")
    check([o["name"] for o in plain.get_response()["outputs"]] == ["probabilities", "logits"], "the standard outputs")
    same(plain.as_numpy("logits"), logits, "the standard logits")
    # Mixed outputs.
    mixed = client.infer(
        model, encoded([jpeg]), outputs=[output("logits", binary_data=False), output("probabilities", binary_data=True)])
    same(mixed.as_numpy("logits"), logits, "logits in JSON beside binary ones")
    same(mixed.as_numpy("probabilities"), probabilities, "binary probabilities beside others")
    return base


def batches(client, jpegs):
    alone = [client.infer(FP32, encoded([jpeg])).as_numpy("logits") for jpeg in jpegs]
    for shape in [[len(jpegs)], [len(jpegs), 1]]:
        together = client.infer(FP32, encoded(jpegs, shape)).as_numpy("logits")
        same(together, np.concatenate(alone), f"a batch of shape {shape}")
    many = client.infer(FP32, encoded(jpegs * 12)).as_numpy("logits")
    same(many, np.concatenate(alone * 12), "a batch of several batches")


def classification(client, jpeg, base):
    order = np.argsort(-base.as_numpy("probabilities")[0], kind="stable")
    for name in ["probabilities", "logits"]:
        for binary in [True, False]:
            result = client.infer(FP32, encoded([jpeg, jpeg]), outputs=[output(name, binary_data=binary, class_count=3)])
            classes = result.as_numpy(name)
            check(classes.shape == (2, 3), "the classification's shape")
            for row in classes:
                for place, entry in enumerate(row):
                    text = entry.decode() if isinstance(entry, bytes) else entry
                    value, index, label = text.split(":", 2)
                    check(int(index) == order[place], "the classes' order")
                    check(value == "%f" % base.as_numpy(name)[0, int(index)], "the value's six decimals")
            check("Egyptian cat" in str(classes[0, 0]), "the label")


def compression(client, jpeg, planar, base):
    for request in [None, "gzip", "deflate"]:
        for response in [None, "gzip", "deflate"]:
            result = client.infer(
                FP32, encoded([jpeg]), request_compression_algorithm=request, response_compression_algorithm=response,
                outputs=[output("logits"), output("features", binary_data=False)])
            same(result.as_numpy("logits"), base.as_numpy("logits"), f"logits, {request} → {response}")
            same(result.as_numpy("features"), base.as_numpy("features"), f"features, {request} → {response}")
    result = client.infer(FP32, tensor(planar[None], "FP32", binary=False), request_compression_algorithm="gzip",
                          outputs=[output("logits", binary_data=False)], response_compression_algorithm="deflate")
    same(result.as_numpy("logits"), base.as_numpy("logits"), "JSON both ways, compressed")


def any_bits(client, model, jpeg):
    """What is no number, or too large, is computed as it is, and nobody else sees anything of it."""
    before = client.infer(model, encoded([jpeg])).as_numpy("logits")
    random = np.random.default_rng(3)
    for _ in range(10):
        bits = random.integers(0, 1 << 32, (3, 3, 224, 224), np.uint32).view(np.float32)
        result = client.infer(model, tensor(bits, "FP32"))
        check(result.as_numpy("logits").shape == (3, 1000), "logits of any bits")
        client.infer(model, tensor(bits, "FP32"), outputs=[output("probabilities", class_count=5)])
        same(client.infer(model, encoded([jpeg])).as_numpy("logits"), before, "logits after any bits")


def schedule(client, jpeg, base):
    for parameters in [{"priority": 1}, {"priority": 7}, {"timeout": 30_000_000}, {"priority": 2, "timeout": 60_000_000}]:
        same(client.infer(FP32, encoded([jpeg]), **parameters).as_numpy("logits"), base.as_numpy("logits"), str(parameters))
    result = client.infer(FP32, encoded([jpeg]), parameters={"mine": "x", "number": 3, "flag": True})
    same(result.as_numpy("logits"), base.as_numpy("logits"), "parameters of one's own")
    # A microsecond has passed before the request has been read.
    fails(lambda: client.infer(FP32, encoded([b"no picture"]), timeout=1), None, "1 µs", "a timeout that cannot be met")


def refusals(client, jpeg, planar):
    def infer(given, **more):
        return lambda: client.infer(FP32, given, **more)

    def shaped(shape, datatype="FP32"):
        kinds = {"FP32": np.float32, "FP16": np.float16, "INT64": np.int64, "UINT8": np.uint8}
        return tensor(np.zeros(shape, kinds[datatype]), datatype)

    fails(lambda: client.infer("nobody", encoded([jpeg])), 404, "no model is called", "an unknown model")
    fails(lambda: client.infer(FP32, encoded([jpeg]), model_version="7"), 404, "no version 7", "an unknown version")
    fails(infer(encoded([b"no picture"])), 415, "", "bytes that are no picture")
    fails(infer(encoded([jpeg[:-1000]])), 422, "", "a picture cut off")
    fails(infer(encoded([jpeg, b"x"])), 415, "image 1: ", "one of two that is none")
    fails(infer(shaped([1, 3, 224])), 400, "expected for FP32 [N, 3, 224, 224]", "a shape of three dimensions")
    fails(infer(shaped([1, 224, 224, 3])), 400, "expected for FP32 [N, 3, 224, 224]", "the other layout")
    fails(infer(shaped([1, 10, 10, 3], "UINT8")), 400, "pictures of other sizes go as BYTES", "another size")
    fails(infer(shaped([1, 3, 224, 224], "FP16")), 400, "datatype 'FP16'", "another type")
    fails(infer(shaped([1], "INT64")), 400, "datatype 'INT64'", "a type of whole numbers")
    fails(infer(shaped([65, 224, 224, 3], "UINT8")), 413, "limit of 64 images", "too many images")
    fails(infer(shaped([0, 3, 224, 224])), 400, "dimensions of 1 and more", "no image")
    fails(infer(encoded([jpeg]), outputs=[output("scores")]), 400, "no output is called 'scores'", "an unknown output")
    fails(infer(encoded([jpeg]) + encoded([jpeg])), 400, "names 'input' twice", "an input twice")
    other = http.InferInput("other", [1], "BYTES")
    other.set_data_from_numpy(np.array([jpeg], dtype=object))
    fails(infer([other]), 400, "no input is called 'other'", "an unknown input")
    shared = http.InferInput("input", [1, 3, 224, 224], "FP32")
    shared.set_shared_memory("region", 602112)
    fails(infer([shared]), 400, "shared memory is not served", "shared memory")
    # And the connections are as good as before.
    check(client.infer(FP32, encoded([jpeg])).as_numpy("logits") is not None, "an inference after the refusals")


def concurrent(address, jpegs):
    """Many at a time, over as many connections."""
    with http.InferenceServerClient(address, concurrency=8) as client:
        expected = [client.infer(FP32, encoded([jpeg])).as_numpy("logits") for jpeg in jpegs]
        pending = [client.async_infer(FP32, encoded([jpegs[i % len(jpegs)]]), request_id=str(i)) for i in range(200)]
        for i, request in enumerate(pending):
            result = request.get_result()
            check(result.get_response()["id"] == str(i), "an id of many")
            same(result.as_numpy("logits"), expected[i % len(jpegs)], "logits of many")


async def asynchronous(address, jpegs):
    """The client of asyncio."""
    async with http_aio.InferenceServerClient(address) as client:
        check(await client.is_server_ready() and await client.is_model_ready(FP32), "ready, asynchronously")
        check((await client.get_model_metadata(FP32))["name"] == FP32, "metadata, asynchronously")
        expected = (await client.infer(FP32, encoded([jpegs[0]]))).as_numpy("logits")
        results = await asyncio.gather(*[
            client.infer(FP32, encoded([jpegs[0]]), request_compression_algorithm=coding, response_compression_algorithm=coding)
            for coding in [None, "gzip", "deflate"] * 10])
        for result in results:
            same(result.as_numpy("logits"), expected, "logits, asynchronously")


def statistics(client, jpeg):
    def stats():
        return client.get_inference_statistics(FP32, "1")["model_stats"][0]

    before = stats()
    client.infer(FP32, encoded([jpeg] * 3))
    fails(lambda: client.infer(FP32, encoded([b"x"])), 415, "", "bytes that are no picture")
    after = stats()
    check(after["inference_count"] - before["inference_count"] == 3, "images are counted")
    check(1 <= after["execution_count"] - before["execution_count"] <= 3, "batches are counted")
    check(after["last_inference"] >= before["last_inference"] > 1_700_000_000_000, "the last inference")
    new, old = after["inference_stats"], before["inference_stats"]
    check(new["success"]["count"] - old["success"]["count"] == 1, "successes are counted")
    check(new["fail"]["count"] - old["fail"]["count"] == 1, "failures are counted")
    parts = ["queue", "compute_input", "compute_infer", "compute_output"]
    spent = {part: new[part]["ns"] - old[part]["ns"] for part in parts}
    check(all(new[part]["count"] - old[part]["count"] == 1 for part in parts), "a request has each part once")
    check(spent["compute_infer"] > 0 and spent["compute_input"] > 0 and spent["compute_output"] > 0, "parts take time")
    check(sum(spent.values()) <= new["success"]["ns"] - old["success"]["ns"], "parts lie within the whole")
    check(new["cache_hit"] == new["cache_miss"] == {"count": 0, "ns": 0}, "there is no cache")
    check(sum(b["batch_size"] * b["compute_infer"]["count"] for b in after["batch_stats"]) == after["inference_count"],
          "batches add up")
    everything = client.get_inference_statistics()["model_stats"]
    check(sorted(m["name"] for m in everything) == sorted([FP32, INT8]), "statistics of all models")


def main():
    binary, root = sys.argv[1], pathlib.Path(sys.argv[2])
    jpeg = (root / "Tests/Fixtures/photo/chelsea.jpg").read_bytes()
    turned = io.BytesIO()
    Image.open(io.BytesIO(jpeg)).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(turned, "JPEG", quality=95)
    jpegs = [jpeg, turned.getvalue()]
    with served(binary, str(root / "models")) as address:
        with http.InferenceServerClient(address) as client:
            server(client)
            description = json.load(urllib.request.urlopen(f"http://{address}/v1/models/{FP32}"))["versions"][0]
            how = description["preprocessing"]
            raw = pixels(jpeg, how["resize"], how["crop"])
            prepared = raw, normalised(raw, how["mean"], how["std"])
            base = forms(client, FP32, jpeg, prepared)
            forms(client, INT8, jpeg, prepared)
            batches(client, jpegs)
            classification(client, jpeg, base)
            compression(client, jpeg, prepared[1], base)
            any_bits(client, FP32, jpeg)
            any_bits(client, INT8, jpeg)
            schedule(client, jpeg, base)
            refusals(client, jpeg, prepared[1])
            statistics(client, jpeg)
            loading(client, [FP32, INT8], INT8, lambda: client.infer(INT8, encoded([jpeg])))
        concurrent(address, jpegs)
        asyncio.run(asynchronous(address, jpegs))
    rights(binary, str(root / "models"), FP32, INT8, encoded([jpeg]))
    print(f"tritonclient {importlib.metadata.version('tritonclient')}: {checking.count} checks passed")


if __name__ == "__main__":
    main()
