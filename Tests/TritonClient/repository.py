"""The model repository extension: the index, loading and unloading, and who may."""

import pathlib
import subprocess
import tempfile

import tritonclient.http as http

from checking import check, fails
from served import served

# What a proxy adds: the request is not one of the server's own machine any more.
FORWARDED = {"X-Forwarded-For": "192.0.2.1"}


def states(client, **more):
    return {entry["name"]: (entry["version"], entry["state"]) for entry in client.get_model_repository_index(**more)}


def loading(client, names, name, infer):
    """From the server's own machine, which needs no key. Leaves everything loaded."""
    check(states(client) == {each: ("1", "READY") for each in names}, "the index names every model")
    expected = infer().as_numpy("logits").tobytes()
    for dependents in [False, True]:
        client.unload_model(name, unload_dependents=dependents)
        check(states(client)[name] == ("1", "UNAVAILABLE"), "the index says what is unloaded")
        entry = next(entry for entry in client.get_model_repository_index() if entry["name"] == name)
        check(entry["reason"] == "unloaded", "and why")
        check(not client.is_model_ready(name) and not client.is_model_ready(name, "1"), "what is unloaded is not ready")
        check(client.is_server_ready(), "the server is ready without it")
        for call in [infer, lambda: client.get_model_metadata(name), lambda: client.get_model_config(name),
                     lambda: client.get_inference_statistics(name)]:
            fails(call, 404, "is not loaded", "what is unloaded answers nothing")
        check(name not in [m["name"] for m in client.get_inference_statistics()["model_stats"]], "nor has statistics")
        client.load_model(name)
        check(states(client)[name] == ("1", "READY") and client.is_model_ready(name, "1"), "it is loaded again")
        check(infer().as_numpy("logits").tobytes() == expected, "and answers as before")
        check(client.get_model_config(name)["name"] == name, "and has its configuration")
        count = client.get_inference_statistics(name, "1")["model_stats"][0]["inference_count"]
        check(count == 1, "and counts from the beginning")
    client.load_model(name)
    check(infer().as_numpy("logits").tobytes() == expected, "loading what is loaded changes no answer")
    fails(lambda: client.load_model("nobody"), 404, "no model is called 'nobody'", "loading what is not there")
    fails(lambda: client.unload_model("nobody"), 404, "no model is called 'nobody'", "unloading what is not there")
    fails(lambda: client.load_model(name, config="{}"), 400, "parameters.config", "a configuration by the client")
    fails(lambda: client.load_model(name, config="{}", files={"file:1/model": b"x"}), 400, "parameters.", "files by the client")
    check(states(client)[name] == ("1", "READY"), "what was refused has changed nothing")


def make_key(binary, name, rights, path):
    command = [binary, "key", name, "--rights", rights, "--append", str(path)]
    return {"Authorization": "Bearer " + subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()}


def rights(binary, models, kept, name, inputs):
    """With keys, each of which may what it may."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "keys"
        keys = {right: make_key(binary, right.replace(",", "-"), right, path)
                for right in ["inference", "admin", "inference,admin"]}
        with served(binary, models, "--api-keys-file", str(path)) as address, http.InferenceServerClient(address) as client:
            calls = {
                "inference": [
                    lambda headers: client.infer(kept, inputs, headers=headers),
                    lambda headers: client.get_server_metadata(headers=headers),
                    lambda headers: client.get_model_metadata(kept, headers=headers),
                    lambda headers: client.get_model_config(kept, headers=headers),
                    lambda headers: client.get_inference_statistics(kept, headers=headers),
                ],
                "admin": [
                    lambda headers: client.get_model_repository_index(headers=headers),
                    lambda headers: client.unload_model(name, headers=headers),
                    lambda headers: client.load_model(name, headers=headers),
                ],
            }
            for needed, group in calls.items():
                for number, call in enumerate(group):
                    what = f"{needed} call {number}"
                    fails(lambda: call(FORWARDED), 401, "needs a key", f"{what} without a key")
                    stranger = {"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}
                    fails(lambda: call({**FORWARDED, **stranger}), 401, "not known", f"{what} with a key nobody has")
                    for right, key in keys.items():
                        if needed in right.split(","):
                            check(call({**FORWARDED, **key}) is not False, f"{what} with the right {right}")
                        else:
                            fails(lambda: call({**FORWARDED, **key}), 403, f"lacks the right '{needed}'",
                                  f"{what} with the right {right}")
            # Neither health nor the repository of one's own machine asks for a key; inference does.
            check(client.is_server_live() and client.is_server_ready(), "health is open")
            check(states(client)[name] == ("1", "READY"), "the index from the server's own machine")
            client.unload_model(name)
            check(states(client)[name][1] == "UNAVAILABLE", "unloading from the server's own machine")
            fails(lambda: client.infer(kept, inputs), 401, "needs a key", "an inference without a key, though it is from there")
