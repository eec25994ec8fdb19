"""Holds the servers' answers to the same photos against each other."""
from servers import running

PHOTO_COUNT = 40
TOLERANCE = 1e-3  # of a probability in fp32
AGREEMENT = 0.9  # of the first guesses in int8, where each quantises in its own way


def check_same_answers(arguments, precision):
    photos = arguments.photo_bytes[:PHOTO_COUNT]
    answers = {}
    for name in arguments.servers:
        with running(name, precision, photos[0], arguments) as server:
            answers[name] = [server.classify(photo)[0] for photo in photos]
    reference, *others = answers
    result = {}
    for name in others:
        pairs = list(zip(answers[reference], answers[name]))
        result[name] = {
            "same_top5": sum(same_top5(a, b) for a, b in pairs), "of": len(pairs),
            "same_top1": sum(a[0]["index"] == b[0]["index"] for a, b in pairs),
            "largest_difference": max(abs(a[0]["probability"] - b[0]["probability"]) for a, b in pairs)}
        print(f"{precision}: {name} and {reference} give the same top 5 for {result[name]['same_top5']} of {len(pairs)} "
              f"photos, the same first for {result[name]['same_top1']}, first probabilities within "
              f"{result[name]['largest_difference']:.1e}", flush=True)
        enough = len(pairs) if precision == "fp32" else AGREEMENT * len(pairs)
        if result[name]["same_top5" if precision == "fp32" else "same_top1"] < enough:
            raise SystemExit("the servers disagree")
    return result


def same_top5(a, b):
    """Classes and labels in the same order, but for neighbours that are as probable as each other."""
    return all(
        abs(x["probability"] - y["probability"]) <= TOLERANCE
        and ((x["index"], x["label"]) == (y["index"], y["label"]) or tied(x, b)) for x, y in zip(a, b))


def tied(prediction, others):
    return any(prediction["label"] == other["label"] and abs(prediction["probability"] - other["probability"]) <= TOLERANCE
               for other in others) or prediction["probability"] - others[-1]["probability"] <= TOLERANCE
