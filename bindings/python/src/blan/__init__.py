"""blan: forty attributes of a face photo, on a CPU, by the Bi-directional Ladder Attentive Network.

    import blan

    model = blan.load()                      # or blan.load("mine.safetensors")
    for face in model.predict("photo.jpg"):  # a path, bytes, a PIL image or an RGB array; or a list of them
        print(face.face.box, face.attributes)  # where it is, and {"Smiling": 0.97, "Young": 0.91, ...}

Importing the package loads nothing, starts no thread and writes nothing; the library is loaded at the first call.
"""

from . import scoring
from .alignment import align_face
from .bundled import default_detector_path, default_model_path
from .creation import import_encoder, init
from .dataset import Dataset
from .detection import Detector, Face, faces_from_yunet
from .errors import (
    BlanError,
    CancelledError,
    FileError,
    FormatError,
    InternalError,
    InvalidArgumentError,
    LibraryError,
    OutOfMemoryError,
    ShapeError,
    UnsupportedError,
)
from .evaluation import Calibration, Evaluation, calibrate
from .explanation import Explainer, Explanation, overlay
from .exporting import export_onnx
from .images import read_image
from .model import Model, load
from .prediction import Prediction
from .profiling import Cost, Step
from .quantization import quantize
from .report import write_contact_sheet, write_evaluation, write_explanation, write_report
from .search import Found, Index, Indexed, index
from .system import System, system
from .training import FineTuned, History, Losses, Progress, Trainer, balanced_weights, finetune
from .video import FaceTracker, TrackedFace, Video, VideoFrame, VideoWriter

__all__ = [
    "BlanError",
    "Calibration",
    "CancelledError",
    "Cost",
    "Dataset",
    "Detector",
    "Evaluation",
    "Explainer",
    "Explanation",
    "Face",
    "FaceTracker",
    "FileError",
    "FineTuned",
    "FormatError",
    "Found",
    "History",
    "Index",
    "Indexed",
    "InternalError",
    "InvalidArgumentError",
    "LibraryError",
    "Losses",
    "Model",
    "OutOfMemoryError",
    "Prediction",
    "Progress",
    "ShapeError",
    "Step",
    "System",
    "TrackedFace",
    "Trainer",
    "UnsupportedError",
    "Video",
    "VideoFrame",
    "VideoWriter",
    "align_face",
    "balanced_weights",
    "calibrate",
    "default_detector_path",
    "default_model_path",
    "export_onnx",
    "faces_from_yunet",
    "finetune",
    "import_encoder",
    "index",
    "init",
    "load",
    "overlay",
    "quantize",
    "read_image",
    "scoring",
    "system",
    "write_contact_sheet",
    "write_evaluation",
    "write_explanation",
    "write_report",
]
