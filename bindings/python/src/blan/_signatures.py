"""Result and argument types of every function of blan.h that the package calls."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_bool, c_char_p, c_double, c_float, c_int8, c_int32, c_int64, c_size_t, c_uint64, c_void_p

from ._explain_structures import ExplainTarget, GradCAMOptions, OcclusionOptions
from ._structures import (
    CalibrateOptions,
    Cost,
    DatasetOptions,
    DecodeOptions,
    DetectOptions,
    EvaluateOptions,
    Face,
    Image,
    LoadOptions,
    NetworkOptions,
    PredictOptions,
    QuantizeOptions,
    StepFunction,
)
from ._training_structures import ExportOptions, FitOptions, Losses, TrainOptions

_OUT = POINTER(c_void_p)
_FLOATS = POINTER(c_float)
_STATUSES = POINTER(c_int32)

_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "blan_version": (c_char_p, ()),
    "blan_last_error": (c_char_p, ()),
    "blan_status_name": (c_char_p, (c_int32,)),
    "blan_instruction_set": (c_char_p, ()),
    "blan_openmp_runtime": (c_char_p, ()),
    "blan_default_threads": (c_int32, ()),
    "blan_model_load": (c_int32, (c_char_p, POINTER(LoadOptions), _OUT)),
    "blan_model_load_memory": (c_int32, (c_char_p, c_size_t, POINTER(LoadOptions), _OUT)),
    "blan_model_free": (None, (c_void_p,)),
    "blan_model_attribute_count": (c_size_t, (c_void_p,)),
    "blan_model_attribute_name": (c_char_p, (c_void_p, c_size_t)),
    "blan_model_threshold": (c_float, (c_void_p, c_size_t)),
    "blan_model_input_size": (c_size_t, (c_void_p,)),
    "blan_model_is_trained": (c_bool, (c_void_p,)),
    "blan_model_config": (c_char_p, (c_void_p,)),
    "blan_model_threads": (c_int32, (c_void_p,)),
    "blan_model_precision": (c_int32, (c_void_p,)),
    "blan_precision_is_native": (c_bool, (c_int32,)),
    "blan_model_embedding_size": (c_size_t, (c_void_p,)),
    "blan_model_attention_count": (c_size_t, (c_void_p,)),
    "blan_model_attention_size": (c_size_t, (c_void_p, c_size_t)),
    "blan_model_cost_count": (c_size_t, (c_void_p,)),
    "blan_model_cost": (c_int32, (c_void_p, c_size_t, POINTER(Cost))),
    "blan_model_profile": (c_int32, (c_void_p, _FLOATS, c_size_t, StepFunction, c_void_p)),
    "blan_bitmap_load": (c_int32, (c_char_p, POINTER(DecodeOptions), _OUT)),
    "blan_bitmap_decode": (c_int32, (c_char_p, c_size_t, POINTER(DecodeOptions), _OUT)),
    "blan_bitmap_image": (Image, (c_void_p,)),
    "blan_bitmap_free": (None, (c_void_p,)),
    "blan_align_face": (c_int32, (POINTER(Image), _FLOATS, _OUT)),
    "blan_preprocess": (c_int32, (c_void_p, POINTER(Image), _FLOATS)),
    "blan_predict_tensor": (c_int32, (c_void_p, _FLOATS, c_size_t, POINTER(PredictOptions), _FLOATS)),
    "blan_predict_images": (c_int32, (c_void_p, POINTER(Image), c_size_t, POINTER(PredictOptions), _FLOATS)),
    "blan_predict_files": (
        c_int32,
        (c_void_p, POINTER(c_char_p), c_size_t, POINTER(PredictOptions), _FLOATS, _STATUSES),
    ),
    "blan_predict_encoded": (
        c_int32,
        (c_void_p, POINTER(c_char_p), POINTER(c_size_t), c_size_t, POINTER(PredictOptions), _FLOATS, _STATUSES),
    ),
    "blan_detector_load": (c_int32, (c_char_p, POINTER(LoadOptions), _OUT)),
    "blan_detector_load_memory": (c_int32, (c_char_p, c_size_t, POINTER(LoadOptions), _OUT)),
    "blan_detector_free": (None, (c_void_p,)),
    "blan_detector_threads": (c_int32, (c_void_p,)),
    "blan_detect_faces": (
        c_int32,
        (c_void_p, POINTER(Image), POINTER(DetectOptions), POINTER(Face), c_size_t, POINTER(c_size_t)),
    ),
    "blan_align_detected": (c_int32, (POINTER(Image), POINTER(Face), _OUT)),
    "blan_predict_faces": (
        c_int32,
        (
            c_void_p,
            c_void_p,
            POINTER(Image),
            POINTER(DetectOptions),
            POINTER(PredictOptions),
            POINTER(Face),
            _FLOATS,
            c_size_t,
            POINTER(c_size_t),
        ),
    ),
    "blan_face_frame": (c_int32, (POINTER(Face), POINTER(c_double))),
    "blan_occlusion_size": (c_size_t, (c_void_p, POINTER(OcclusionOptions))),
    "blan_explain_occlusion": (
        c_int32,
        (c_void_p, POINTER(Image), POINTER(ExplainTarget), c_size_t, POINTER(OcclusionOptions), _FLOATS),
    ),
    "blan_explainer_load": (c_int32, (c_char_p, POINTER(LoadOptions), _OUT)),
    "blan_explainer_load_memory": (c_int32, (c_char_p, c_size_t, POINTER(LoadOptions), _OUT)),
    "blan_explainer_free": (None, (c_void_p,)),
    "blan_explainer_map_size": (c_size_t, (c_void_p, c_int32)),
    "blan_explain_gradcam": (
        c_int32,
        (c_void_p, POINTER(Image), POINTER(ExplainTarget), c_size_t, POINTER(GradCAMOptions), _FLOATS),
    ),
    "blan_model_init": (c_int32, (c_char_p, POINTER(NetworkOptions))),
    "blan_quantize": (c_int32, (c_char_p, POINTER(QuantizeOptions), c_char_p)),
    "blan_import_encoder": (c_int32, (c_char_p, c_char_p, c_char_p)),
    "blan_model_file_open": (c_int32, (c_char_p, _OUT)),
    "blan_model_file_free": (None, (c_void_p,)),
    "blan_model_file_graph": (c_char_p, (c_void_p,)),
    "blan_model_file_tensor": (c_int32, (c_void_p, c_char_p, _FLOATS, c_size_t)),
    "blan_trainer_create": (c_int32, (POINTER(TrainOptions), _OUT)),
    "blan_trainer_free": (None, (c_void_p,)),
    "blan_trainer_step": (c_int32, (c_void_p, _FLOATS, POINTER(c_int8), c_size_t, POINTER(Losses))),
    "blan_trainer_fit": (c_int32, (c_void_p, c_void_p, c_void_p, POINTER(FitOptions))),
    "blan_trainer_save": (c_int32, (c_void_p, c_char_p)),
    "blan_trainer_export": (c_int32, (c_void_p, c_char_p, POINTER(ExportOptions))),
    "blan_trainer_attribute_count": (c_size_t, (c_void_p,)),
    "blan_trainer_attribute_name": (c_char_p, (c_void_p, c_size_t)),
    "blan_trainer_input_size": (c_size_t, (c_void_p,)),
    "blan_trainer_step_count": (c_int64, (c_void_p,)),
    "blan_trainer_gradient": (c_int32, (c_void_p, c_char_p, _FLOATS, c_size_t)),
    "blan_trainer_parameter": (c_int32, (c_void_p, c_char_p, _FLOATS, c_size_t)),
    "blan_dataset_open": (c_int32, (c_char_p, POINTER(DatasetOptions), _OUT)),
    "blan_dataset_free": (None, (c_void_p,)),
    "blan_dataset_count": (c_size_t, (c_void_p,)),
    "blan_dataset_attribute_count": (c_size_t, (c_void_p,)),
    "blan_dataset_attribute_name": (c_char_p, (c_void_p, c_size_t)),
    "blan_dataset_path": (c_char_p, (c_void_p, c_size_t)),
    "blan_dataset_labels": (c_int32, (c_void_p, c_size_t, POINTER(c_int8))),
    "blan_dataset_group_count": (c_size_t, (c_void_p,)),
    "blan_dataset_group_name": (c_char_p, (c_void_p, c_size_t)),
    "blan_dataset_group_value": (c_char_p, (c_void_p, c_size_t, c_size_t)),
    "blan_dataset_subset": (c_int32, (c_void_p, POINTER(c_size_t), c_size_t, _OUT)),
    "blan_dataset_split": (c_int32, (c_void_p, c_double, c_uint64, _OUT, _OUT)),
    "blan_evaluate": (c_int32, (c_void_p, c_void_p, POINTER(EvaluateOptions), _OUT)),
    "blan_evaluation_free": (None, (c_void_p,)),
    "blan_evaluation_json": (c_char_p, (c_void_p,)),
    "blan_evaluation_count": (c_size_t, (c_void_p,)),
    "blan_evaluation_skipped": (c_size_t, (c_void_p,)),
    "blan_evaluation_accuracy": (c_double, (c_void_p,)),
    "blan_evaluation_probabilities": (_FLOATS, (c_void_p,)),
    "blan_evaluation_labels": (POINTER(c_int8), (c_void_p,)),
    "blan_calibrate": (c_int32, (c_char_p, c_void_p, POINTER(CalibrateOptions), c_char_p)),
}


def declare(library: ctypes.CDLL) -> None:
    """Sets result and argument types; AttributeError names a function that the library lacks."""
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
