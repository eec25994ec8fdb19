"""Our resident memory over many requests at 16 connections."""
import http.client
import time

from closed_loop import figures_of_wrk, start_wrk
from figures import print_table
from servers import running

CHUNK_SECONDS = 3600
ROWS = 20  # printed at most


def images_answered(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return sum(int(float(line.split()[-1])) for line in text.splitlines() if line.startswith("swiftlet_images_total"))


def measure_soak(arguments, precision):
    samples, deadline = [], time.monotonic() + CHUNK_SECONDS
    with running("swiftlet", precision, arguments.photo_bytes[0], arguments) as server:
        started = time.monotonic()
        while not samples or samples[-1]["requests"] < arguments.soak:
            wrk = start_wrk(server, arguments.photos, 16, arguments.sample_seconds)
            time.sleep(arguments.sample_seconds * 0.8)
            megabytes = server.resident_megabytes()
            errors = figures_of_wrk(wrk, arguments.sample_seconds + 60)["errors"]
            samples.append({"seconds": time.monotonic() - started, "requests": images_answered(server),
                            "megabytes": megabytes, "errors": errors})
            if time.monotonic() > deadline:
                raise SystemExit(f"the soak took more than {CHUNK_SECONDS} s")
    after = [sample for sample in samples if sample["requests"] >= arguments.soak / 10]
    return {"samples": samples, "growth_megabytes": after[-1]["megabytes"] - after[0]["megabytes"],
            "peak_megabytes": max(sample["megabytes"] for sample in samples)}


def print_soak(result, title):
    samples = result["samples"]
    every = -(-len(samples) // ROWS)
    chosen = samples[:1] + samples[1:-1][::every] + samples[-1:]
    print_table(title, ["requests", "seconds", "resident MB", "errors"],
                [[str(of["requests"]), f"{of['seconds']:.0f}", f"{of['megabytes']:.1f}", str(of["errors"])] for of in chosen])
    print(f"peak {result['peak_megabytes']:.1f} MB, {result['growth_megabytes']:+.1f} MB over the last nine tenths")
