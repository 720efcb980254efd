"""The ctypes structs and the defaults of the keywords are those of blan.h, as a C compiler sees them."""

from __future__ import annotations

import ctypes
import shutil
import subprocess

import pytest
from blan import _explain_structures, _structures, _training_structures
from blan.training import options
from conftest import REPOSITORY

STRUCTS = {
    "blan_load_options": _structures.LoadOptions,
    "blan_cost": _structures.Cost,
    "blan_image": _structures.Image,
    "blan_decode_options": _structures.DecodeOptions,
    "blan_predict_options": _structures.PredictOptions,
    "blan_detect_options": _structures.DetectOptions,
    "blan_face": _structures.Face,
    "blan_explain_target": _explain_structures.ExplainTarget,
    "blan_occlusion_options": _explain_structures.OcclusionOptions,
    "blan_gradcam_options": _explain_structures.GradCAMOptions,
    "blan_network_options": _structures.NetworkOptions,
    "blan_quantize_options": _structures.QuantizeOptions,
    "blan_dataset_options": _structures.DatasetOptions,
    "blan_evaluate_options": _structures.EvaluateOptions,
    "blan_calibrate_options": _structures.CalibrateOptions,
    "blan_train_options": _training_structures.TrainOptions,
    "blan_losses": _training_structures.Losses,
    "blan_progress": _training_structures.Progress,
    "blan_fit_options": _training_structures.FitOptions,
    "blan_export_options": _training_structures.ExportOptions,
}


@pytest.fixture(scope="module")
def run_c(tmp_path_factory):
    """Compiles and runs the body of a main function; returns what it prints."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")

    def run(body):
        folder = tmp_path_factory.mktemp("c")
        source = f"#include <blan.h>\n#include <stdio.h>\nint main(void) {{ {body} return 0; }}\n"
        (folder / "main.c").write_text(source)
        command = [compiler, "-std=c11", f"-I{REPOSITORY / 'include'}", "main.c", "-o", "main"]
        subprocess.run(command, cwd=folder, check=True)
        return subprocess.run([folder / "main"], capture_output=True, text=True, check=True).stdout

    return run


def test_every_field_is_where_c_has_it(run_c):
    prints = []
    for name, struct in STRUCTS.items():
        prints.append(f'printf("{name} %zu\\n", sizeof({name}));')
        for field, *_ in struct._fields_:
            where = f"offsetof({name}, {field}), sizeof((({name} *)0)->{field})"
            prints.append(f'printf("{name}.{field} %zu %zu\\n", {where});')
    expected = []
    for name, struct in STRUCTS.items():
        expected.append(f"{name} {ctypes.sizeof(struct)}")
        for field, *_ in struct._fields_:
            place = getattr(struct, field)
            expected.append(f"{name}.{field} {place.offset} {place.size}")
    assert run_c("".join(prints)).splitlines() == expected


def numbers(struct):
    """The fields that are numbers, as text that both languages print alike."""
    fields = [(name, kind) for name, kind in struct._fields_ if kind in NUMBERS and name != "struct_size"]
    return {name: f"{float(getattr(struct, name)):.9g}" for name, _ in fields}


NUMBERS = (ctypes.c_float, ctypes.c_int32, ctypes.c_int64, ctypes.c_uint64, ctypes.c_bool)


def defaults_in_c(run_c, name, initialiser, fields):
    body = f"{name} o = {initialiser};" + "".join(f'printf("%.9g\\n", (double)o.{field});' for field in fields)
    return dict(zip(fields, run_c(body).split(), strict=True))


def keywords(function):
    """Defaults of the keywords of a public function."""
    return {name: value for name, value in (function.__kwdefaults__ or {}).items() if name != "on_progress"}


def test_defaults_of_a_trainer(run_c):
    from blan import Trainer

    struct = options.train_options(None, **keywords(Trainer.__init__))
    python = numbers(struct)
    assert python == defaults_in_c(run_c, "blan_train_options", "BLAN_TRAIN_OPTIONS_INIT", python)
    network = numbers(struct.network.contents)
    assert network == defaults_in_c(run_c, "blan_network_options", "BLAN_NETWORK_OPTIONS_INIT", network)


def test_defaults_of_fit_and_export(run_c):
    from blan import Trainer

    python = numbers(options.fit_options(**keywords(Trainer.fit)))
    assert python == defaults_in_c(run_c, "blan_fit_options", "BLAN_FIT_OPTIONS_INIT", python)
    python = numbers(options.export_options("f32", **keywords(Trainer.export)))
    assert python == defaults_in_c(run_c, "blan_export_options", "BLAN_EXPORT_OPTIONS_INIT", python)


def test_settings_have_the_same_defaults():
    from blan import Trainer
    from blan.training import Settings

    settings = Settings()
    for function, own in ((Trainer.__init__, settings.trainer_options()), (Trainer.fit, settings.fit_options())):
        defaults = keywords(function)
        assert {name: defaults[name] for name in own if name in defaults} == {
            k: v for k, v in own.items() if k in defaults
        }
        assert set(own) - {"start"} <= set(defaults)
