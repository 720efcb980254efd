"""OpenVINO's CPU plugin, tuned for latency, in 32-bit floats (it would take bf16 where the CPU has it)."""

import openvino

from . import Call, Task
from .exported import onnx_file


def load(task: Task) -> tuple[Call, str]:
    """The call and the version."""
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": task.threads,
        "NUM_STREAMS": 1,
    }
    request = openvino.Core().compile_model(onnx_file(task), "CPU", settings).create_infer_request()
    version = openvino.__version__.split("-")[0]
    return lambda pixels: request.infer({0: pixels}, share_inputs=True, share_outputs=False)[0], version
