"""Computes an ONNX file, or OpenVINO's own format, in OpenVINO.

The precision is fp32 or bf16 for float models; int8 means a quantised model, whose other layers are in fp32.
"""
from engine_worker import serve

import openvino


class OpenVINO:
    def __init__(self, arguments):
        self.core = openvino.Core()
        self.model = self.core.read_model(arguments.model)
        self.streams = arguments.streams
        self.settings = {
            "PERFORMANCE_HINT": "THROUGHPUT" if arguments.streams > 1 else "LATENCY",
            "NUM_STREAMS": str(arguments.streams),
            "INFERENCE_NUM_THREADS": str(arguments.threads),
            "INFERENCE_PRECISION_HINT": "bf16" if arguments.precision == "bf16" else "f32",
        }

    def compiled(self, x):
        """With the batch fixed, which is faster than a free one."""
        self.model.reshape(list(x.shape))
        return self.core.compile_model(self.model, "CPU", self.settings)

    def logits(self, x):
        return self.compiled(x)(x)[0]

    def prepared(self, x):
        compiled = self.compiled(x)
        if self.streams > 1:
            queue = openvino.AsyncInferQueue(compiled, 2 * self.streams)
            # Filled in beforehand: the image is not copied for each batch.
            for request in queue:
                request.set_input_tensor(openvino.Tensor(x, shared_memory=True))
            return queue.start_async
        request = compiled.create_infer_request()
        request.set_input_tensor(openvino.Tensor(x, shared_memory=True))

        def compute():
            request.start_async()
            request.wait()
        return compute


if __name__ == "__main__":
    serve(OpenVINO)
