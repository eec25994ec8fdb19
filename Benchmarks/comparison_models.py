"""The networks that engines are compared on, and the files that each engine reads, made once from the same weights."""
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

from efficientnet_onnx import write_onnx
from peer_int8 import quantise_for_onnxruntime, quantise_for_openvino
from pictures import picture_paths, prepared_batch, spread
from synthetic_weights import write_synthetic_weights
from variants import VARIANTS

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
REPOSITORY = os.path.join(ROOT, "models")
MADE = os.path.join(ROOT, ".build-benchmarks", "models")
CALIBRATION = os.path.join(ROOT, ".build-calibration")
# More teach the observers little, and NNCF holds all in memory.
CALIBRATION_PICTURES = 300


@dataclass(frozen=True)
class Model:
    title: str
    variant: str
    # Of a model in the repository; elsewhere weights are synthetic, and the preprocessing is torchvision's.
    bundled: str = None
    resize: int = None
    filter: str = "bicubic"

    @property
    def size(self):
        return VARIANTS[self.variant].size

    @property
    def name(self):
        """What the model is called in its repository."""
        return self.bundled or self.variant.replace("_", "-")

    @property
    def repository(self):
        return REPOSITORY if self.bundled else MADE

    @property
    def weights(self):
        return os.path.join(self.repository, self.name, "1", "model.safetensors")

    @property
    def description(self):
        with open(os.path.join(self.repository, self.name, "1", "model.json")) as file:
            return json.load(file)

    def made(self, suffix):
        return os.path.join(MADE, self.variant + suffix)


MODELS = {
    "lite0": Model("EfficientNet-Lite0", "efficientnet_lite0", bundled="efficientnet-lite0"),
    "b0": Model("EfficientNet-B0", "efficientnet_b0", resize=256),
    "b4": Model("EfficientNet-B4", "efficientnet_b4", resize=384),
    "v2_s": Model("EfficientNetV2-S", "efficientnet_v2_s", resize=384, filter="bilinear"),
}


def is_fresh(path, *sources):
    return os.path.exists(path) and all(os.path.getmtime(source) <= os.path.getmtime(path) for source in sources)


def script(name):
    return os.path.join(HERE, name)


def make_float_files(model):
    """The path that each engine's worker gets."""
    if not model.bundled:
        make_synthetic_model(model)
    exporters = [script("efficientnet_onnx.py"), script("variants.py"), model.weights]
    onnx, mnn, ncnn = model.made(".onnx"), model.made(".mnn"), model.made(".ncnn")
    os.makedirs(MADE, exist_ok=True)
    if not is_fresh(onnx, *exporters):
        write_onnx(model.variant, model.weights, onnx)
    if not is_fresh(mnn, onnx):
        # The converter as a function: its command line installs a package outside the environment and reports its use.
        run([sys.executable, "-c", "import sys, _tools; sys.exit(not _tools.mnnconvert(sys.argv))", "-f", "ONNX",
             "--modelFile", onnx, "--MNNModel", mnn, "--optimizePrefer", "2"])
    if not is_fresh(ncnn + ".bin", onnx):
        import ncnn as installed
        pnnx = os.path.join(os.path.dirname(installed.__file__), "..", "pnnx", "pnnx")
        run([os.path.abspath(pnnx), onnx, f"inputshape=[1,3,{model.size},{model.size}]", "fp16=0"])
    return {"onnxruntime": onnx, "openvino": onnx, "mnn": mnn, "ncnn": ncnn}


def make_synthetic_model(model):
    directory = os.path.dirname(model.weights)
    os.makedirs(directory, exist_ok=True)
    description = os.path.join(directory, "model.json")
    if is_fresh(model.weights, script("synthetic_weights.py"), script("variants.py")) and os.path.exists(description):
        return
    write_synthetic_weights(model.variant, model.weights)
    with open(description, "w") as file:
        json.dump({
            "architecture": model.variant, "precision": "fp32", "input_size": model.size, "resize": model.resize,
            "crop": model.size, "filter": model.filter, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
            "description": "seeded random weights, to measure speed with"}, file, indent=2)


def make_int8_files(model, onnx, calibration):
    """Of the peers that have their own post-training quantisation for CPUs."""
    if os.path.abspath(calibration) == CALIBRATION:
        run([os.path.join(ROOT, "scripts", "calibration-pictures")])
    paths = spread(picture_paths(calibration), CALIBRATION_PICTURES)
    if not paths:
        sys.exit(f"compare-engines: no pictures in {calibration} to calibrate with; see --calibration")
    # Other pictures, other files.
    digest = hashlib.sha256("\n".join(f"{path} {os.path.getsize(path)}" for path in paths).encode()).hexdigest()[:8]
    files = {"onnxruntime": model.made(f"-int8-{digest}.onnx"), "openvino": model.made(f"-int8-{digest}.xml")}
    missing = [engine for engine, path in files.items() if not is_fresh(path, onnx, script("peer_int8.py"))]
    if missing:
        print(f"quantising {model.title} on {len(paths)} pictures for {', '.join(missing)}", file=sys.stderr)
        pictures = prepared_batch(paths, model.description)
        make = {"onnxruntime": quantise_for_onnxruntime, "openvino": quantise_for_openvino}
        for engine in missing:
            make[engine](onnx, pictures, files[engine])
    return files


def make_our_int8(model, swiftlet, calibration):
    """The directory of the repository that holds our int8 model; None where there is none and none can be made."""
    name = model.name + "-int8"
    if os.path.isdir(os.path.join(model.repository, name)):
        return model.repository
    if model.bundled or "quantize" not in subprocess.run([swiftlet, "--help"], capture_output=True, text=True).stdout:
        return None
    output = os.path.join(MADE, name, "1")
    try:
        run([swiftlet, "quantize", "--models", MADE, "--model", model.name, "--calibration", calibration, "--output",
             output])
    except subprocess.CalledProcessError:
        shutil.rmtree(os.path.dirname(output), ignore_errors=True)
        raise
    return MADE


def run(command):
    """Without its chatter, unless it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        done.check_returncode()
