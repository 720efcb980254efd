"""The structs of blan.h's section on training, field for field."""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    c_bool,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint64,
    c_void_p,
)

from ._structures import NetworkOptions

Allreduce = CFUNCTYPE(c_int, POINTER(c_float), c_size_t, c_void_p)
"""blan_allreduce."""


class TrainOptions(ctypes.Structure):
    """blan_train_options."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("start", c_char_p),
        ("network", POINTER(NetworkOptions)),
        ("encoder", c_char_p),
        ("attributes", POINTER(c_char_p)),
        ("attribute_count", c_size_t),
        ("threads", c_int32),
        ("seed", c_uint64),
        ("alpha", c_float),
        ("beta", c_float),
        ("gamma", c_float),
        ("dropout", c_float),
        ("label_smoothing", c_float),
        ("positive_weights", POINTER(c_float)),
        ("learning_rate", c_float),
        ("fusion_learning_rate", c_float),
        ("beta1", c_float),
        ("beta2", c_float),
        ("epsilon", c_float),
        ("weight_decay", c_float),
        ("clip_norm", c_float),
        ("average_decay", c_float),
        ("schedule", c_int32),
        ("final_rate", c_float),
        ("warmup_steps", c_int32),
        ("total_steps", c_int64),
        ("accumulate", c_int32),
        ("freeze", c_char_p),
        ("statistics", c_int32),
        ("allreduce", Allreduce),
        ("allreduce_user", c_void_p),
        ("rank", c_int32),
        ("world_size", c_int32),
        ("synchronised_batch_norm", c_bool),
    )


class Losses(ctypes.Structure):
    """blan_losses."""

    _fields_ = (
        ("cls", c_double * 4),
        ("lmim", c_double * 4),
        ("rec", c_double),
        ("sf", c_double),
        ("total", c_double),
    )


class Progress(ctypes.Structure):
    """blan_progress."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("event", c_int32),
        ("epoch", c_int32),
        ("epochs", c_int32),
        ("step", c_int64),
        ("steps", c_int64),
        ("losses", Losses),
        ("learning_rate", c_double),
        ("gradient_norm", c_double),
        ("images_per_second", c_double),
        ("seconds_left", c_double),
        ("validation_loss", c_double),
        ("validation_accuracy", c_double),
        ("best_accuracy", c_double),
        ("best_epoch", c_int32),
        ("validated", c_uint64),
        ("validation_count", c_uint64),
        ("skipped", c_uint64),
        ("message", c_char_p),
    )


ProgressCallback = CFUNCTYPE(c_int, POINTER(Progress), c_void_p)
"""blan_progress_callback."""


class FitOptions(ctypes.Structure):
    """blan_fit_options."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("epochs", c_int32),
        ("batch", c_int32),
        ("mirror", c_bool),
        ("shift", c_float),
        ("zoom", c_float),
        ("rotation", c_float),
        ("brightness", c_float),
        ("contrast", c_float),
        ("saturation", c_float),
        ("cutout", c_float),
        ("workers", c_int32),
        ("cache_bytes", c_uint64),
        ("skip_unreadable", c_bool),
        ("checkpoints", c_char_p),
        ("checkpoint_steps", c_int64),
        ("patience", c_int32),
        ("progress", ProgressCallback),
        ("user", c_void_p),
    )


class ExportOptions(ctypes.Structure):
    """blan_export_options."""

    _fields_ = (
        ("struct_size", c_size_t),
        ("storage", c_int32),
        ("training_heads", c_bool),
        ("raw_weights", c_bool),
    )
