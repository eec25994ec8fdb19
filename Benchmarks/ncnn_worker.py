"""Computes a model that pnnx converted (MODEL.ncnn.param and .bin) in ncnn, which takes one image at a time."""
from engine_worker import serve

import ncnn
import numpy as np


class Ncnn:
    def __init__(self, arguments):
        self.net = ncnn.Net()
        options = self.net.opt
        options.num_threads = arguments.threads
        options.use_vulkan_compute = False
        for flag in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_packed",
                     "use_bf16_storage"):
            setattr(options, flag, False)
        ncnn.set_omp_num_threads(arguments.threads)
        if self.net.load_param(arguments.model + ".param") or self.net.load_model(arguments.model + ".bin"):
            raise SystemExit(f"ncnn cannot load {arguments.model}")

    def run(self, image):
        extractor = self.net.create_extractor()
        extractor.input("in0", image)
        status, output = extractor.extract("out0")
        if status:
            raise SystemExit(f"ncnn fails with {status}")
        return output

    def logits(self, x):
        return np.stack([np.array(self.run(ncnn.Mat(image).clone())) for image in x])

    def prepared(self, x):
        if len(x) != 1:
            raise SystemExit("ncnn takes one image at a time")
        image = ncnn.Mat(x[0]).clone()
        return lambda: self.run(image)


if __name__ == "__main__":
    serve(Ncnn)
