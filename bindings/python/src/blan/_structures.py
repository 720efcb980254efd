"""The structs of blan.h, field for field."""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    c_bool,
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint64,
    c_void_p,
)


class LoadOptions(ctypes.Structure):
    """blan_load_options."""

    _fields_ = (("struct_size", c_size_t), ("threads", c_int32), ("precision", c_int32))


class QuantizeOptions(ctypes.Structure):
    """blan_quantize_options."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("precision", c_int32),
        ("pixels", POINTER(c_float)),
        ("batch", c_size_t),
        ("threads", c_int32),
    )


class Cost(ctypes.Structure):
    """blan_cost."""

    _fields_ = (("module", c_char_p), ("parameters", c_uint64), ("multiply_accumulates", c_uint64))


class Image(ctypes.Structure):
    """blan_image."""

    _fields_ = (
        ("data", POINTER(c_uint8)),
        ("width", c_int32),
        ("height", c_int32),
        ("row_stride", c_int64),
        ("format", c_int32),
    )


class DecodeOptions(ctypes.Structure):
    """blan_decode_options."""

    _fields_ = (("struct_size", c_size_t), ("maximum_pixels", c_uint64))


class Step(ctypes.Structure):
    """blan_step."""

    _fields_ = (
        ("module", c_char_p),
        ("kernel", c_char_p),
        ("seconds", c_double),
        ("operations", c_double),
        ("bytes", c_double),
    )


StepFunction = CFUNCTYPE(None, c_void_p, POINTER(Step))
"""blan_step_function."""

ItemError = CFUNCTYPE(None, c_void_p, c_size_t, c_int32, c_char_p)
"""blan_item_error."""


class PredictOptions(ctypes.Structure):
    """blan_predict_options."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("scores", POINTER(c_float)),
        ("logits", POINTER(c_float)),
        ("embeddings", POINTER(c_float)),
        ("attention", POINTER(c_float)),
        ("maximum_pixels", c_uint64),
        ("on_error", ItemError),
        ("user", c_void_p),
    )


class DetectOptions(ctypes.Structure):
    """blan_detect_options."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("min_face", c_double),
        ("thresholds", c_float * 3),
        ("max_faces", c_int32),
        ("factor", c_double),
    )


class Face(ctypes.Structure):
    """blan_face."""

    _fields_ = (
        ("x0", c_float),
        ("y0", c_float),
        ("x1", c_float),
        ("y1", c_float),
        ("score", c_float),
        ("landmarks", (c_float * 2) * 5),
    )


class NetworkOptions(ctypes.Structure):
    """blan_network_options."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("input_size", c_int32),
        ("width", c_int32),
        ("variant", c_int32),
        ("attention", c_int32),
        ("attributes", POINTER(c_char_p)),
        ("attribute_count", c_size_t),
        ("seed", c_uint64),
    )


class DatasetOptions(ctypes.Structure):
    """blan_dataset_options."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("kind", c_int32),
        ("split", c_int32),
        ("lfwa_protocol", c_int32),
        ("attributes", POINTER(c_char_p)),
        ("attribute_count", c_size_t),
    )


EvaluateProgress = CFUNCTYPE(ctypes.c_int, c_size_t, c_size_t, c_void_p)
"""blan_evaluate_progress."""


class EvaluateOptions(ctypes.Structure):
    """blan_evaluate_options."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("groups", POINTER(c_char_p)),
        ("group_count", c_size_t),
        ("training", c_void_p),
        ("resamples", c_int32),
        ("seed", c_uint64),
        ("batch", c_int32),
        ("skip_unreadable", c_bool),
        ("on_error", ItemError),
        ("progress", EvaluateProgress),
        ("user", c_void_p),
    )


class CalibrateOptions(ctypes.Structure):
    """blan_calibrate_options."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("temperatures", c_bool),
        ("thresholds", c_bool),
        ("objective", c_int32),
        ("minimum_labels", c_int32),
        ("threads", c_int32),
        ("batch", c_int32),
        ("skip_unreadable", c_bool),
        ("on_error", ItemError),
        ("progress", EvaluateProgress),
        ("user", c_void_p),
    )
