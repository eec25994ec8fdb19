"""Computes an ONNX file, fp32 or with quantised nodes, in ONNX Runtime."""
from engine_worker import serve

import onnxruntime


class OnnxRuntime:
    def __init__(self, arguments):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = arguments.threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(arguments.model, options, providers=["CPUExecutionProvider"])

    def logits(self, x):
        return self.session.run(None, {"input": x})[0]

    def prepared(self, x):
        binding = self.session.io_binding()
        binding.bind_ortvalue_input("input", onnxruntime.OrtValue.ortvalue_from_numpy(x))
        binding.bind_output("logits")
        return lambda: self.session.run_with_iobinding(binding)


if __name__ == "__main__":
    serve(OnnxRuntime)
