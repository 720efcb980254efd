"""Writing a model as ONNX."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from .._extras import needed
from .._files import write_atomically
from .._library import library
from ..errors import InvalidArgumentError, UnsupportedError
from .network import NetworkFile
from .onnx_graph import GraphWriter

Output: TypeAlias = Literal["logits", "scores", "embeddings", "attention"]

OUTPUTS: tuple[Output, ...] = ("logits", "scores", "embeddings", "attention")
"""What may be handed out beside the probabilities."""

OPSET = 18
"""The first whose Resize can be antialiased, as libblan's is."""

_IR_VERSION = 8
"""The file format's version that came with the opset: newer ones would shut out older runtimes for nothing."""

_LARGEST = 2**31 - 1
"""Bytes that a protobuf message may have."""


def export_onnx(
    model: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    preprocessing: bool = False,
    outputs: Sequence[Output] = (),
    license: str | None = None,
) -> None:
    """Writes a model file as ONNX, opset 18, with a dynamic batch. The file appears whole or not at all.

    The graph is made of the library's own description of the network; `docs/onnx.md` tells its inputs, outputs and
    metadata.

    Args:
        model: a safetensors file.
        path: the file to write.
        preprocessing: take photos of any size, batch x height x width x 3 of uint8 (RGB), and resize and normalise them
            within the graph; otherwise the input is what `Model.preprocess` makes.
        outputs: what to hand out beside the probabilities, any of "logits", "scores", "embeddings" and "attention".
        license: the terms on which the model may be used, for the metadata; None = those that the model file states.

    Raises:
        UnsupportedError: the package onnx is not installed, or the model is too large for one ONNX file (2 GB).
        InvalidArgumentError: an unknown output, or attention maps of a variant that has none.
        BlanError: the model cannot be read or the file cannot be written; the class says why.
    """
    onnx = needed("onnx", "onnx", "exporting to ONNX")
    if isinstance(outputs, str):
        outputs = (outputs,)  # type: ignore[assignment]
    unknown = [name for name in outputs if name not in OUTPUTS]
    if unknown:
        raise InvalidArgumentError(f"outputs holds {unknown[0]!r}; expected any of {', '.join(OUTPUTS)}")
    network = NetworkFile(model)
    if "attention" in outputs and not network.outputs["spatial_attention"]:
        raise InvalidArgumentError(f"variant {network.config['variant']} has no attention maps to hand out")
    writer = GraphWriter(onnx, network)
    source = _photos(onnx, writer, network.config) if preprocessing else _pixels(onnx, network.config)
    writer.write("normalised" if preprocessing else "pixels")
    results = _results(onnx, writer, network, outputs)
    graph = onnx.helper.make_graph(
        writer.nodes, "BLAN", [source], results, writer.initializers, value_info=writer.value_info
    )
    exported = onnx.helper.make_model(
        graph,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name="libblan",
        producer_version=library().blan_version().decode(),
        doc_string="Facial attributes by the Bi-directional Ladder Attentive Network (Pattern Recognition 2020)",
    )
    onnx.helper.set_model_props(exported, _metadata(network, license))
    if exported.ByteSize() > _LARGEST:
        raise UnsupportedError(f"{os.fspath(model)}: {exported.ByteSize():,} bytes do not fit an ONNX file of 2 GB")
    exported = onnx.shape_inference.infer_shapes(exported, check_type=True, strict_mode=True, data_prop=True)
    onnx.checker.check_model(exported, full_check=True)
    write_atomically(path, exported.SerializeToString())


def _pixels(onnx: Any, config: dict[str, Any]) -> Any:
    """The input of prepared pixels."""
    size = config["input_size"]
    return onnx.helper.make_tensor_value_info(
        "pixels",
        onnx.TensorProto.FLOAT,
        ["batch", 3, size, size],
        doc_string="RGB, squashed to the input size, (x / 255 - mean) / std",
    )


def _photos(onnx: Any, writer: GraphWriter, config: dict[str, Any]) -> Any:
    """The input of photos, and the nodes that make `normalised` of it."""
    size = writer.constant(np.array([config["input_size"]] * 2, np.int64), "preprocessing.size")
    # Weights that would fall outside the photo are left out, as Pillow and libblan do it.
    resized = writer.add(
        "Resize",
        ["images", "", "", size],
        "preprocessing.resize",
        axes=[1, 2],
        mode="linear",
        antialias=1,
        exclude_outside=1,
        coordinate_transformation_mode="half_pixel",
    )
    side = config["input_size"]  # inference would lose the batch's name here
    writer.describe(resized, onnx.TensorProto.UINT8, ["batch", side, side, 3])
    planes = writer.add("Transpose", [resized], "preprocessing.planes", perm=[0, 3, 1, 2])
    floats = writer.add("Cast", [planes], "preprocessing.floats", to=onnx.TensorProto.FLOAT)
    mean, std = (np.array(config[key], np.float64)[:, None, None] for key in ("mean", "std"))
    scale = writer.constant((1 / (255 * std)).astype(np.float32), "preprocessing.scale")
    shift = writer.constant((-mean / std).astype(np.float32), "preprocessing.shift")
    scaled = writer.add("Mul", [floats, scale], "preprocessing.scaled")
    writer.add("Add", [scaled, shift], "preprocessing.normalise", output="normalised")
    return onnx.helper.make_tensor_value_info(
        "images",
        onnx.TensorProto.UINT8,
        ["batch", "height", "width", 3],
        doc_string="RGB, one face framed like CelebA's aligned images",
    )


def _results(onnx: Any, writer: GraphWriter, network: NetworkFile, outputs: Sequence[Output]) -> list[Any]:
    """The nodes behind the decision and the outputs asked for; returns the descriptions of all outputs."""
    count, size = len(network.config["attributes"]), network.config["input_size"]
    results = []

    def result(name: str, shape: list[int], text: str) -> None:
        info = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *shape], doc_string=text)
        results.append(info)

    def stacked(values: list[str], name: str, part: list[int]) -> None:
        """Joins values, one of each level, along a new axis after the batch."""
        shape = writer.constant(np.array([0, 1, *part], np.int64), f"{name}.shape")
        parts = [writer.add("Reshape", [value, shape], f"{name}.{level}") for level, value in enumerate(values, 1)]
        writer.add("Concat", parts, f"{name}.concat", output=name, axis=1)

    pairs = writer.constant(np.array([0, count, 2], np.int64), "decision.pairs")
    decision = writer.value(network.outputs["decision"])
    logits = writer.add("Reshape", [decision, pairs], "decision.logits", "logits" if "logits" in outputs else None)
    temperatures = np.array(network.config["temperatures"], np.float32)[:, None]
    if (temperatures != 1).any():
        logits = writer.add("Div", [logits, writer.constant(temperatures, "temperatures")], "decision.calibrated")
    softmax = writer.add("Softmax", [logits], "decision.softmax", axis=-1)
    present = writer.constant(np.array(1, np.int64), "decision.present")
    writer.add("Gather", [softmax, present], "decision.probabilities", output="probabilities", axis=2)
    result("probabilities", [count], "how likely each attribute is present, 0 to 1")
    if "logits" in outputs:
        result("logits", [count, 2], "the decision before its temperatures and softmax; [1] is present")
    if "scores" in outputs:
        nodes = [*network.outputs["scores"], network.outputs["summed_scores"]]
        stacked([writer.value(node) for node in nodes], "scores", [count, 2])
        result("scores", [len(nodes), count, 2], "of the four classifiers, and their sum; [1] is present")
    if "embeddings" in outputs:
        nodes = network.outputs["embeddings"]
        length = network.nodes[nodes[0]]["shape"][0]
        stacked([writer.value(node) for node in nodes], "embeddings", [length])
        result("embeddings", [len(nodes), length], "T_1 to T_4")
    if "attention" in outputs:
        axes = writer.constant(np.array([1], np.int64), "attention.axes")
        for level, node in enumerate(network.outputs["spatial_attention"], 1):
            side = size >> (level + 1)
            name = f"attention_{level}"
            writer.add("Squeeze", [writer.value(node), axes], f"attention.{level}.squeeze", output=name)
            result(name, [side, side], f"spatial attention of level {level}, 0 to 1")
    return results


def _metadata(network: NetworkFile, license: str | None) -> dict[str, str]:
    """What a program needs beside the graph: texts as they are, everything else as JSON."""
    config = network.config
    keys = ("attributes", "thresholds", "temperatures", "input_size", "mean", "std", "width", "variant", "attention")
    metadata = {key: config[key] for key in (*keys, "trained")}
    terms = network.metadata.get("blan.licence") if license is None else license
    if terms is not None:
        metadata["license"] = terms
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
