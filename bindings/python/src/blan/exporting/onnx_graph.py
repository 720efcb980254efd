"""The network's operations as ONNX nodes, one rule an operation."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import UnsupportedError
from .network import NetworkFile


class GraphWriter:
    """Turns the library's description of a network into ONNX nodes and initialisers of opset 18.

    Values are named after the layer that makes them, and initialisers as in the model file.

    Args:
        onnx: the module.
        network: what to write.

    Attributes:
        nodes: the ONNX nodes so far.
        initializers: the ONNX tensors so far.
        value_info: types of values in between.
    """

    def __init__(self, onnx: Any, network: NetworkFile) -> None:
        self._onnx, self._network = onnx, network
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.value_info: list[Any] = []
        self._names: set[str] = set()
        self._values: dict[int, str] = {}

    def add(self, operation: str, inputs: list[str], name: str, output: str | None = None, **attributes: Any) -> str:
        """Appends a node; returns the name of what it makes."""
        name = self._unique(name)
        output = output or name
        self.nodes.append(self._onnx.helper.make_node(operation, inputs, [output], name=name, **attributes))
        return output

    def constant(self, values: np.ndarray, name: str) -> str:
        """Adds an initialiser; returns its name."""
        name = self._unique(name)
        self.initializers.append(self._onnx.numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def describe(self, value: str, element: int, shape: list[int | str]) -> None:
        """States the type of a value, where ONNX's own inference would say less."""
        self.value_info.append(self._onnx.helper.make_tensor_value_info(value, element, shape))

    def write(self, pixels: str) -> None:
        """Writes the whole network, from a value of normalised pixels, batch x 3 x S x S."""
        for index, node in enumerate(self._network.nodes):
            rule = getattr(self, "_" + node["operation"], None)
            if node["operation"] == "input":
                self._values[index] = pixels
            elif rule is None:
                raise UnsupportedError(f"the network has an operation that ONNX export lacks: {node['operation']}")
            else:
                self._values[index] = rule(node, [self._values[i] for i in node["inputs"]])

    def value(self, index: int) -> str:
        """The name of what a node of the description became."""
        return self._values[index]

    # One method an operation of the description: the node and the names of its inputs in, the name of its result out.

    def _convolution(self, node: dict[str, Any], inputs: list[str]) -> str:
        name = _layer(node)
        x = inputs[0] if len(inputs) == 1 else self.add("Concat", inputs, f"{name}.concat", axis=1)
        tensors = [self._tensor(node, role) for role in ("weight", "bias") if role in node["tensors"]]
        return self.add("Conv", [x, *tensors], name, **_window(node))

    def _batch_norm(self, node: dict[str, Any], inputs: list[str]) -> str:
        tensors = [self._tensor(node, role) for role in ("weight", "bias", "mean", "variance")]
        return self.add("BatchNormalization", [*inputs, *tensors], _layer(node), epsilon=node["epsilon"])

    def _relu(self, node: dict[str, Any], inputs: list[str]) -> str:
        return self.add("Relu", inputs, f"{inputs[0]}.relu")

    def _max_pool(self, node: dict[str, Any], inputs: list[str]) -> str:
        return self.add("MaxPool", inputs, f"{node['module']}.max_pool", **_window(node))

    def _add(self, node: dict[str, Any], inputs: list[str]) -> str:
        return self.add("Add", inputs, f"{node['module']}.add")

    def _upsample(self, node: dict[str, Any], inputs: list[str]) -> str:
        factor = node["factor"]
        scales = self.constant(np.array([1, 1, factor, factor], np.float32), f"{node['module']}.scales")
        enlarged = self.add(
            "Resize",
            [*inputs, "", scales],
            f"{node['module']}.upsample",
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        self.describe(enlarged, self._onnx.TensorProto.FLOAT, ["batch", *node["shape"]])
        return enlarged

    def _channel_gate(self, node: dict[str, Any], inputs: list[str]) -> str:
        prefix = _layer(node, "fc1_weight").rsplit(".", 1)[0]
        # The shared layers are 1x1 convolutions of the pooled maps: the gate keeps its two spatial dimensions.
        weights = {}
        for role, name in node["tensors"].items():
            values = self._network.tensor(name)
            weights[role] = self.constant(values[..., None, None] if values.ndim == 2 else values, name)
        branches = []
        for pool, label in (("GlobalAveragePool", "average"), ("GlobalMaxPool", "maximum")):
            x = self.add(pool, inputs, f"{prefix}.{label}")
            x = self.add("Conv", [x, weights["fc1_weight"], weights["fc1_bias"]], f"{prefix}.fc1.{label}")
            x = self.add("Relu", [x], f"{x}.relu")
            branches.append(self.add("Conv", [x, weights["fc2_weight"], weights["fc2_bias"]], f"{prefix}.fc2.{label}"))
        return self.add("Sigmoid", [self.add("Add", branches, f"{prefix}.add")], f"{prefix}.gate")

    def _spatial_gate(self, node: dict[str, Any], inputs: list[str]) -> str:
        prefix = _layer(node)
        axes = self.constant(np.array([1], np.int64), f"{prefix}.axes")
        mean = self.add("ReduceMean", [*inputs, axes], f"{prefix}.mean")
        maximum = self.add("ReduceMax", [*inputs, axes], f"{prefix}.maximum")
        both = self.add("Concat", [mean, maximum], f"{prefix}.concat", axis=1)
        scores = self.add("Conv", [both, self._tensor(node, "weight")], f"{prefix}.conv", **_window(node))
        return self.add("Sigmoid", [scores], f"{prefix}.gate")

    def _multiply(self, node: dict[str, Any], inputs: list[str]) -> str:
        x = inputs[0]
        for gate in inputs[1:]:
            x = self.add("Mul", [x, gate], f"{node['module']}.multiply")
        return x

    def _linear(self, node: dict[str, Any], inputs: list[str]) -> str:
        name = _layer(node)
        flat = self.add("Flatten", inputs, f"{name}.flatten")
        return self.add("Gemm", [flat, self._tensor(node, "weight"), self._tensor(node, "bias")], name, transB=1)

    def _dropout(self, node: dict[str, Any], inputs: list[str]) -> str:
        return inputs[0]

    def _sum_scores(self, node: dict[str, Any], inputs: list[str]) -> str:
        return self.add("Sum", inputs, f"{node['module']}.summed")

    def _fuse_scores(self, node: dict[str, Any], inputs: list[str]) -> str:
        """Each input, read as N pairs, times its row of the weight; the sum is flat again, as scores are."""
        module, name = node["module"], node["tensors"]["weight"]
        pairs = self.constant(np.array([0, -1, 2], np.int64), f"{module}.pairs")
        weighted = []
        for row, (scores, weights) in enumerate(zip(inputs, self._network.tensor(name), strict=True), 1):
            x = self.add("Reshape", [scores, pairs], f"{module}.scores_{row}")
            weight = self.constant(weights[:, None], f"{name}.{row}")
            weighted.append(self.add("Mul", [x, weight], f"{module}.weighted_{row}"))
        return self.add("Flatten", [self.add("Sum", weighted, f"{module}.sum")], f"{module}.fused")

    def _tensor(self, node: dict[str, Any], role: str) -> str:
        name = node["tensors"][role]
        return self.constant(self._network.tensor(name), name)

    def _unique(self, name: str) -> str:
        chosen, number = name, 1
        while chosen in self._names:
            number += 1
            chosen = f"{name}_{number}"
        self._names.add(chosen)
        return chosen


def _layer(node: dict[str, Any], role: str = "weight") -> str:
    """The layer's name: that of its weight without the last part."""
    return node["tensors"][role].rsplit(".", 1)[0]


def _window(node: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a square window that moves over a map."""
    return {
        "kernel_shape": [node["kernel"]] * 2,
        "strides": [node["stride"]] * 2,
        "pads": [node["padding"]] * 4,
    }
