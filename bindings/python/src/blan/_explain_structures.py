"""The structs of blan.h about explanations, field for field."""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_float, c_int32, c_size_t, c_void_p

ExplainProgress = CFUNCTYPE(ctypes.c_int, c_size_t, c_size_t, c_void_p)
"""blan_explain_progress."""

FILL_MODEL_MEAN, FILL_IMAGE_MEAN, FILL_COLOR = range(3)
"""blan_fill."""


class ExplainTarget(ctypes.Structure):
    """blan_explain_target."""

    _fields_ = (("attribute", c_size_t), ("level", c_int32))


class OcclusionOptions(ctypes.Structure):
    """blan_occlusion_options."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("patch", c_int32),
        ("stride", c_int32),
        ("fill", c_int32),
        ("color", c_float * 3),
        ("values", POINTER(c_float)),
        ("progress", ExplainProgress),
        ("user", c_void_p),
    )


class GradCAMOptions(ctypes.Structure):
    """blan_gradcam_options."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("values", POINTER(c_float)),
        ("progress", ExplainProgress),
        ("user", c_void_p),
    )
