"""Whether engines give the same answers on the same pictures: looked at before anything is timed."""
import sys

import numpy as np

# Largest difference of the logits, relative to the largest logit. Engines differ in the order of sums alone.
FLOAT_BOUND = 1e-4
# Share of pictures on which a quantised (or bf16) model keeps its first guess. How much better than this an int8 model
# is, the comparison of accuracy tells; here a broken one is to be kept out.
LEAST_KEPT = 0.85
# On fewer pictures that share tells nothing.
LEAST_JUDGED = 20


def relative_error(theirs, ours):
    return float(np.abs(theirs - ours).max() / np.abs(ours).max())


def signal_to_noise(theirs, ours):
    """In dB."""
    return float(10 * np.log10(np.square(ours).sum() / np.square(theirs - ours).sum()))


def check_float(ours, peers, x):
    """Every peer's logits against ours; ends the run where one is out of bounds."""
    expected = ours.logits(x)
    errors = {peer.engine: relative_error(peer.logits(x), expected) for peer in peers}
    print(f"largest difference of the logits on {len(x)} pictures, relative (bound {FLOAT_BOUND:.0e}): "
          + ", ".join(f"{peer.title} {errors[peer.engine]:.1e}" for peer in peers), flush=True)
    if not all(error < FLOAT_BOUND for error in errors.values()):
        sys.exit("compare-engines: the engines disagree")
    return {"pictures": len(x), "relative_error": errors}


def check_approximate(reference, ours, peers, x, paths, is_judged):
    """Lower precisions against fp32 logits: first guesses kept and signal-to-noise.

    With random weights first guesses lie close together and tell nothing, and likewise on few pictures: figures are
    then shown only (not `is_judged`).
    """
    expected = reference.logits(x)
    found = {}
    for peer in peers:
        logits = peer.logits(x)
        found[peer.engine] = {"kept": float((logits.argmax(1) == expected.argmax(1)).mean()),
                              "signal_to_noise_db": signal_to_noise(logits, expected)}
        print(f"{peer.title} against fp32 on {len(x)} pictures: first guess kept on {found[peer.engine]['kept']:.1%}, "
              f"logits {found[peer.engine]['signal_to_noise_db']:.1f} dB", flush=True)
    if ours is not reference and ours is not None:
        kept = float((ours.first_guesses(paths) == reference.first_guesses(paths)).mean())
        found[ours.engine] = {"kept": kept}
        print(f"{ours.title} int8 against its fp32 on {len(x)} pictures: first guess kept on {kept:.1%}", flush=True)
    worst = min((item["kept"] for item in found.values()), default=1)
    if is_judged and worst < LEAST_KEPT:
        sys.exit(f"compare-engines: a model keeps its first guess on less than {LEAST_KEPT:.0%} of the pictures")
    return {"pictures": len(x), "against_fp32": found}
