"""Computes a model that MNN's converter made in MNN."""
from engine_worker import serve

import MNN
import numpy as np


class Mnn:
    def __init__(self, arguments):
        self.interpreter = MNN.Interpreter(arguments.model)
        self.session = self.interpreter.createSession(
            {"backend": "CPU", "numThread": arguments.threads, "precision": "high"})

    def prepared(self, x):
        target = self.interpreter.getSessionInput(self.session, "input")
        self.interpreter.resizeTensor(target, x.shape)
        self.interpreter.resizeSession(self.session)
        target.copyFrom(MNN.Tensor(x.shape, MNN.Halide_Type_Float, x, MNN.Tensor_DimensionType_Caffe))
        return lambda: self.interpreter.runSession(self.session)

    def logits(self, x):
        self.prepared(x)()
        source = self.interpreter.getSessionOutput(self.session, "logits")
        shape = source.getShape()
        target = MNN.Tensor(shape, MNN.Halide_Type_Float, np.zeros(shape, np.float32), MNN.Tensor_DimensionType_Caffe)
        source.copyToHostTensor(target)
        return np.array(target.getData(), np.float32).reshape(shape)


if __name__ == "__main__":
    serve(Mnn)
