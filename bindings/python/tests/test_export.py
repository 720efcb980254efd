"""ONNX files: the same numbers in ONNX Runtime, valid, described, and written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import sys

import blan
import netron
import numpy as np
import onnx
import onnxruntime
import pytest
from blan.cli.app import app
from conftest import chromium
from playwright.sync_api import sync_playwright
from safetensors import safe_open
from settled import settle
from typer.testing import CliRunner

ORDERS = ("channel-spatial", "spatial-channel", "parallel")
# Orders exist only where there is attention.
NETWORKS = [(variant, ORDERS[0]) for variant in (1, 2, 3, 4)] + [(v, order) for v in (5, 6) for order in ORDERS]
TOLERANCE = 1e-4
ATTRIBUTES = ("Smiling", 'With "quotes"', "Bärtig", "5_o_Clock")


@pytest.fixture
def make(tmp_path):
    """Writes a small model of a variant and an attention order; returns its path."""

    def make(variant=6, order=ORDERS[0], **options):
        path = tmp_path / f"{variant}-{order}.safetensors"
        options = {"width": 8, "input_size": 64, "attributes": ATTRIBUTES} | options
        blan.init(path, variant=variant, attention=order, seed=variant, **options)
        settle(path, variant)
        return path

    return make


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options)


@pytest.mark.parametrize(("variant", "order"), NETWORKS)
def test_every_output_is_the_librarys(make, tmp_path, variant, order):
    path, out = make(variant, order), tmp_path / "out.onnx"
    names = ["logits", "scores", "embeddings", *(["attention"] if variant >= 5 else [])]
    model = blan.load(path)
    model.export_onnx(out, outputs=names)
    runtime = session(out)
    photos = np.random.default_rng(variant).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    wanted = model.predict(photos, aligned=True, **dict.fromkeys(names, True))
    pixels = np.stack([model.preprocess(photo) for photo in photos])
    probabilities = np.stack([prediction.probabilities for prediction in wanted])
    assert np.ptp(probabilities) > 0.2 and probabilities.min() > 0.001 and probabilities.max() < 0.999
    for batch in (1, 2, 5):
        got = dict(
            zip([o.name for o in runtime.get_outputs()], runtime.run(None, {"pixels": pixels[:batch]}), strict=True)
        )
        np.testing.assert_allclose(got["probabilities"], probabilities[:batch], atol=TOLERANCE)
        for index in range(batch):
            for name in ("logits", "scores", "embeddings"):
                np.testing.assert_allclose(got[name][index], getattr(wanted[index], name), atol=1e-3, rtol=1e-3)
            for level, attention in enumerate(wanted[index].attention or (), 1):
                np.testing.assert_allclose(got[f"attention_{level}"][index], attention, atol=TOLERANCE)


@pytest.mark.parametrize(("variant", "order"), NETWORKS)
def test_files_are_valid_and_typed(make, tmp_path, variant, order):
    out = tmp_path / "out.onnx"
    blan.export_onnx(make(variant, order), out, preprocessing=True)
    exported = onnx.load(out)
    onnx.checker.check_model(exported, full_check=True)
    assert exported.opset_import[0].version >= 17
    inferred = onnx.shape_inference.infer_shapes(exported, check_type=True, strict_mode=True)
    typed = {info.name for info in [*inferred.graph.value_info, *inferred.graph.output]}
    assert all(name in typed for node in exported.graph.node for name in node.output)
    dimension = inferred.graph.output[0].type.tensor_type.shape.dim
    assert dimension[0].dim_param == "batch" and dimension[1].dim_value == len(ATTRIBUTES)
    used = {name for node in exported.graph.node for name in node.input}
    assert all(tensor.name in used for tensor in exported.graph.initializer)


def test_weights_keep_their_names_and_values(make, tmp_path):
    path, out = make(), tmp_path / "out.onnx"
    blan.export_onnx(path, out)
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(out).graph.initializer}
    with safe_open(path, "np") as file:
        compared = [name for name in file.keys() if name in stored]  # noqa: SIM118
        assert len(compared) > 200
        for name in compared:
            np.testing.assert_array_equal(stored[name].ravel(), file.get_tensor(name).ravel())


def test_the_default_model_with_preprocessing(photo, tmp_path):
    out = tmp_path / "default.onnx"
    result = CliRunner().invoke(app, ["export", "--onnx", "default", str(out), "--preprocessing"])
    assert result.exit_code == 0 and str(out) in result.stderr.replace("\n", "")
    runtime, model = session(out), blan.load()
    whole = blan.read_image(photo)
    assert [i.name for i in runtime.get_inputs()] == ["images"] and len(runtime.get_outputs()) == 1
    for image in (whole, np.tile(whole, (3, 4, 1))):
        got = runtime.run(None, {"images": np.stack([image, image[:, ::-1]])})[0]
        wanted = [model.predict(side, aligned=True).probabilities for side in (image, image[:, ::-1])]
        np.testing.assert_allclose(got, wanted, atol=1e-3)  # a few values of a pixel differ by 1 of 255


def test_preprocessing_is_the_librarys_to_one_of_255(make, tmp_path, whole_photo):
    out, size = tmp_path / "out.onnx", 64
    blan.export_onnx(make(), out, preprocessing=True)
    model = onnx.load(out)
    model.graph.output.append(onnx.helper.make_tensor_value_info("normalised", 1, ["batch", 3, size, size]))
    runtime = session(model.SerializeToString())
    whole = blan.read_image(whole_photo)
    library = blan.load(make())
    std = np.array(library.config["std"])[:, None, None]
    for image in (whole, whole[:50, :40], whole[:30, :200], whole[:size, :size], whole[:1, :1]):
        image = np.ascontiguousarray(image)
        got = runtime.run(["normalised"], {"images": image[None]})[0][0]
        levels = np.abs(got - library.preprocess(image)) * std * 255
        assert levels.max() < 1.01 and levels.mean() < 0.01


def test_metadata(make, tmp_path):
    path, out = make(), tmp_path / "out.onnx"
    model = blan.load(path)
    model.export_onnx(out)
    metadata = session(out).get_modelmeta().custom_metadata_map
    assert tuple(json.loads(metadata["attributes"])) == ATTRIBUTES
    np.testing.assert_allclose(json.loads(metadata["thresholds"]), model.thresholds, rtol=1e-6)
    assert json.loads(metadata["input_size"]) == 64
    assert json.loads(metadata["mean"]) == model.config["mean"] and json.loads(metadata["std"]) == model.config["std"]
    assert metadata["attention"] == "channel-spatial" and metadata["variant"] == "6"
    assert metadata["license"] == "for tests"
    model.export_onnx(out, license="mine")
    assert session(out).get_modelmeta().custom_metadata_map["license"] == "mine"
    blan.export_onnx(blan.default_model_path(), out)
    assert "non-commercial" in session(out).get_modelmeta().custom_metadata_map["license"]


def test_what_cannot_be_exported_is_said(make, tmp_path):
    out = tmp_path / "out.onnx"
    with pytest.raises(blan.InvalidArgumentError, match="'gates'"):
        blan.export_onnx(make(), out, outputs=["gates"])
    with pytest.raises(blan.InvalidArgumentError, match="variant 1 has no attention"):
        blan.export_onnx(make(1), out, outputs=["attention"])
    with pytest.raises(blan.InvalidArgumentError, match="bytes"):
        blan.load(make().read_bytes()).export_onnx(out)
    with pytest.raises(blan.FileError, match="nowhere"):
        blan.export_onnx("nowhere.safetensors", out)
    with pytest.raises(blan.FormatError):
        blan.export_onnx(blan.default_detector_path(), out)
    assert not out.exists()
    result = CliRunner().invoke(app, ["export", str(make()), str(tmp_path / "out.bin")])
    assert result.exit_code == 2 and "--onnx" in result.output


def test_a_failure_leaves_what_was_there(make, tmp_path):
    out = tmp_path / "there" / "out.onnx"
    with pytest.raises(blan.FileError, match=r"out\.onnx"):
        blan.export_onnx(make(), out)
    out.parent.mkdir()
    blan.export_onnx(make(), out)
    before = hashlib.sha256(out.read_bytes()).digest()
    with pytest.raises(blan.InvalidArgumentError):
        blan.export_onnx(make(1), out, outputs=["attention"])
    assert hashlib.sha256(out.read_bytes()).digest() == before
    assert [file.name for file in out.parent.iterdir()] == ["out.onnx"]


def test_the_extra_is_named_where_it_is_missing(make, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(blan.UnsupportedError, match=r"blan\[onnx\]"):
        blan.export_onnx(make(), tmp_path / "out.onnx")


def test_the_file_opens_in_netron(make, tmp_path):
    """In a browser: Netron's page, served on loopback, draws every operation."""
    out = tmp_path / "out.onnx"
    blan.export_onnx(make(), out, preprocessing=True)
    operations = [node.op_type for node in onnx.load(out).graph.node]
    address = netron.start(str(out), ("127.0.0.1", 0), browse=False)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(f"http://{address[0]}:{address[1]}/")
            page.get_by_text("Accept").click()
            page.wait_for_selector(".node-item")
            drawn = page.locator(".node-item").count()
            norms = page.get_by_text("BatchNormalization", exact=True).count()
            browser.close()
    finally:
        netron.stop(address)
    assert drawn >= len(operations) and norms >= operations.count("BatchNormalization")
