"""The shared library against PyTorch at full width: networks of Tests/Fixtures/blan_torch and torchvision's encoder.

Needs torch and torchvision, which `scripts/test.sh --with-torch` installs.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path

import blan
import numpy as np
import pytest
from blan import _batch, _structures
from blan._library import check, library
from conftest import REPOSITORY

torch = pytest.importorskip("torch", reason="torch is not installed; scripts/test.sh --with-torch installs it")
pytest.importorskip("safetensors", reason="safetensors is not installed; scripts/requirements.txt has it")
sys.path.insert(0, str(REPOSITORY / "Tests" / "Fixtures"))

from blan_torch import BLAN, Configuration, load_model, save_model  # noqa: E402 (needs the path and torch)

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module", autouse=True)
def one_torch_thread() -> Iterator[None]:
    """PyTorch's threads and the library's would wait for each other's turns on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


TOLERANCE = 1e-4
SIZES = (64, 128, 224, 256)
WIDTHS = (16, pytest.param(64, marks=pytest.mark.slow))
# Orders exist only where there is attention.
NETWORKS = [(variant, "channel-spatial") for variant in (1, 2, 3, 4)] + [
    (variant, order) for variant in (5, 6) for order in ("channel-spatial", "spatial-channel", "parallel")
]


def settled(network: torch.nn.Module, pixels: torch.Tensor) -> torch.nn.Module:
    """The network with batch norms that are neither zeros and ones nor far from what flows through them.

    What residual branches add is a fifth of that: thirty random branches in full are chaotic, and PyTorch's own float32
    is then off by more than the tolerance.
    """
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                ends_branch = name.endswith("bn2") and not name.startswith("classifiers")
                module.weight.uniform_(0.5, 1.5).mul_(0.2 if ends_branch else 1.0)
                module.bias.uniform_(-0.2, 0.2)
                module.momentum = None  # running statistics become those of the one batch to come
        network.train()(pixels)
    return network.eval()


def predict(model: blan.Model, pixels: torch.Tensor) -> list[dict[str, np.ndarray]]:
    """Every output of `blan_predict_tensor`, image by image."""
    array = np.ascontiguousarray(pixels.numpy())
    outputs = _batch.Outputs(model._layout, _batch.Wanted(True, True, True, True), len(array))
    options = outputs.options(_structures.ItemError(), 0)
    arguments = (_batch.floats(array), len(array), ctypes.byref(options), _batch.floats(outputs.probabilities))
    check(library().blan_predict_tensor(model._open().pointer, *arguments))
    names = ("probabilities", "scores", "logits", "embeddings")
    return [
        {name: getattr(outputs, name)[image] for name in names}
        | {f"gates.{i}": gate for i, gate in enumerate(outputs.maps_of(image))}
        for image in range(len(array))
    ]


def expected(network: BLAN, pixels: torch.Tensor) -> list[dict[str, np.ndarray]]:
    """The same outputs by the reference, in float64."""
    with torch.no_grad():
        out = network.double().outputs(pixels.double())
    named = {name: getattr(out, name) for name in ("probabilities", "scores", "logits", "embeddings")}
    named |= {f"gates.{i}": gate[:, 0] for i, gate in enumerate(out.gates)}
    return [{name: value[image].numpy() for name, value in named.items()} for image in range(len(pixels))]


def assert_agree(outputs: list[dict[str, np.ndarray]], references: list[dict[str, np.ndarray]]) -> None:
    for output, reference in zip(outputs, references, strict=True):
        assert output.keys() == reference.keys()
        for name, value in reference.items():
            np.testing.assert_allclose(output[name], value, rtol=0, atol=TOLERANCE, err_msg=name)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("variant", "order"), NETWORKS)
def test_predictions_agree(tmp_path: Path, variant: int, order: str, size: int, width: int) -> None:
    torch.manual_seed(1000 * variant + size + width)
    pixels = torch.rand(5, 3, size, size) * 4 - 2
    configuration = Configuration(input_size=size, width=width, attention=order, variant=variant)
    network = settled(BLAN(configuration), torch.rand(4, 3, size, size) * 4 - 2)
    path = tmp_path / "reference.safetensors"
    save_model(path, network)
    references = expected(network, pixels)
    probabilities = np.stack([reference["probabilities"] for reference in references])
    assert probabilities.std() > 0.05, "a network that says the same of everything proves nothing"
    with blan.load(path) as model:
        assert_agree(predict(model, pixels), references)
        assert_agree(predict(model, pixels[:1]), references[:1])


def torchvision_resnet34() -> torch.nn.Module:
    """torchvision's own ResNet-34."""
    try:
        from torchvision.models import resnet34
    except ImportError:
        pytest.skip("torchvision is not installed; scripts/test.sh --with-torch installs it")
    except RuntimeError:
        # torchvision's operators are built for torch with CUDA and do not load beside one without. No network needs
        # them, but torchvision does not import before they are declared.
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float c) -> Tensor")
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        from torchvision.models import resnet34
    return resnet34(weights=None)


def feature_maps(resnet: torch.nn.Module, pixels: torch.Tensor) -> list[torch.Tensor]:
    """The outputs of torchvision's four layers."""
    maps = []
    with torch.no_grad():
        x = resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(pixels))))
        for layer in (resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4):
            x = layer(x)
            maps.append(x)
    return maps


class Probe:
    """Heads that hand encoder features through: T_i of a variant 1 network becomes 512 numbers of F_enc_i.

    conv1 of AC_i picks one channel at one tap for each of its outputs, conv2 passes some on, batch norms change
    nothing, the ReLUs meet features that are not negative, and fc1 picks 512 places.
    """

    def __init__(self, network: BLAN, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.picked = []
        with torch.no_grad():
            for classifier in network.classifiers:
                self.picked.append(self.pass_through(classifier))

    def pass_through(self, classifier: torch.nn.Module) -> list[tuple[int, int, int]]:
        """Sets the weights and returns (channel, row, column) of the features that T holds, by number of T."""
        for norm in (classifier.bn1, classifier.bn2):
            norm.weight.fill_(1)
            norm.bias.zero_()
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)
        conv1, conv2, fc1 = classifier.conv1, classifier.conv2, classifier.fc1
        hidden, inputs, kernel, _ = conv1.weight.shape
        for weight in (conv1.weight, conv2.weight, fc1.weight, fc1.bias):
            weight.zero_()
        channels = self.random.integers(inputs, size=hidden)
        taps = self.random.integers(kernel, size=(hidden, 2))
        conv1.weight[np.arange(hidden), channels, taps[:, 0], taps[:, 1]] = 1
        passed = self.random.choice(hidden, size=len(conv2.weight), replace=False)
        conv2.weight[np.arange(len(passed)), passed] = 1
        side = int((fc1.weight.shape[1] // len(passed)) ** 0.5)
        (stride, _), (padding, _) = conv1.stride, conv1.padding
        picked = []
        for row in range(len(fc1.weight)):
            out = self.random.integers(len(passed))
            y, x = self.random.integers(side, size=2)
            fc1.weight[row, (out * side + y) * side + x] = 1
            tap = taps[passed[out]]
            picked.append((channels[passed[out]], y * stride - padding + tap[0], x * stride - padding + tap[1]))
        return picked

    def seen(self, level: int, features: torch.Tensor) -> np.ndarray:
        """What T of a level must be, from one image's features [channels, height, width]; zero in the padding."""
        _, height, width = features.shape
        return np.array(
            [float(features[c, y, x]) if 0 <= y < height and 0 <= x < width else 0.0 for c, y, x in self.picked[level]]
        )


@pytest.mark.slow
def test_a_torchvision_encoder_is_imported_unchanged(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    torch.manual_seed(34)
    resnet = settled(torchvision_resnet34(), torch.rand(4, 3, 224, 224) * 4 - 2)
    pixels = torch.rand(2, 3, 224, 224) * 4 - 2
    maps = feature_maps(resnet, pixels)
    save_file(resnet.state_dict(), tmp_path / "resnet34.safetensors")
    torch.save(resnet.state_dict(), tmp_path / "resnet34.pth")

    network = BLAN(Configuration(input_size=224, width=64, variant=1))
    for seed in range(4):
        probe = Probe(network, seed)
        save_model(tmp_path / "probe.safetensors", network)
        encoder = tmp_path / ("resnet34.pth" if seed == 0 else "resnet34.safetensors")
        blan.import_encoder(encoder, tmp_path / "probe.safetensors", tmp_path / "imported.safetensors")
        with blan.load(tmp_path / "imported.safetensors") as model:
            outputs = predict(model, pixels)
        for image, output in enumerate(outputs):
            for level, features in enumerate(maps):
                wanted = probe.seen(level, features[image])
                largest = float(features[image].abs().max())
                assert (wanted > 0).mean() > 0.2, "the probe looks at zeros"
                np.testing.assert_allclose(output["embeddings"][level], wanted, rtol=0, atol=TOLERANCE * largest)

    # Every tensor of the encoder is torchvision's, bit for bit, and the reference computes the same maps from them.
    imported = load_file(tmp_path / "imported.safetensors")
    state = resnet.state_dict()
    names = [name for name in state if not name.startswith("fc.") and not name.endswith("num_batches_tracked")]
    assert {f"encoder.{name}" for name in names} == {name for name in imported if name.startswith("encoder.")}
    assert all(torch.equal(imported[f"encoder.{name}"], state[name]) for name in names)
    with torch.no_grad():
        for ours, theirs in zip(load_model(tmp_path / "imported.safetensors").encoder(pixels), maps, strict=True):
            assert torch.equal(ours, theirs)
