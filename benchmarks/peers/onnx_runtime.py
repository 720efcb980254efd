"""ONNX Runtime on its CPU provider with every optimisation, blocked layout included."""

import onnxruntime

from . import Call, Task
from .exported import onnx_file


def load(task: Task) -> tuple[Call, str]:
    """The call and the version."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = task.threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(onnx_file(task), options, providers=["CPUExecutionProvider"])
    return lambda pixels: session.run(None, {"pixels": pixels})[0], onnxruntime.__version__
