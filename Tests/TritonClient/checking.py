"""What must hold, counted."""

from tritonclient.utils import InferenceServerException

count = 0


def check(condition, what):
    global count
    count += 1
    if not condition:
        raise SystemExit(f"FAILED: {what}")


def same(a, b, what):
    check(a is not None and b is not None and a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes(), what)


def fails(call, status, text, what):
    global count
    count += 1
    try:
        call()
    except InferenceServerException as error:
        if (status is None or str(error.status()) == str(status)) and text in error.message():
            return
        raise SystemExit(f"FAILED: {what}: got {error.status()} {error.message()!r}, expected {status} {text!r}")
    raise SystemExit(f"FAILED: {what}: no error")
