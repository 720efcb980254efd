"""`blan.Trainer`: steps, epochs, checkpoints, and what stops them."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading

import blan
import numpy as np
import pytest
import shapes
from blan._library import library
from blan.dataset import Dataset

SMALL = {"width": 4, "input_size": 64, "attributes": shapes.ATTRIBUTES, "seed": 5, "threads": 1}


@pytest.fixture
def trainer():
    with blan.Trainer(**SMALL) as trainer:
        yield trainer


@pytest.fixture(scope="module")
def parts(drawings):
    return Dataset.open(drawings, split="train"), Dataset.open(drawings, split="validation")


@pytest.fixture(scope="module")
def batch(parts, tmp_path_factory):
    """Eight pictures and their labels, as `step` takes them."""
    path = tmp_path_factory.mktemp("model") / "any.safetensors"
    blan.init(path, width=4, input_size=64, attributes=shapes.ATTRIBUTES)
    with blan.load(path) as model:
        pixels = np.stack([model.preprocess(photo) for photo in parts[0].paths[:8]])
    return pixels, parts[0].labels[:8]


def test_what_it_says_of_itself(trainer):
    assert trainer.names == shapes.ATTRIBUTES
    assert trainer.input_size == 64
    assert trainer.step_count == 0
    assert "3 attributes" in repr(trainer)


def test_a_step_reports_every_term(trainer, batch):
    losses = trainer.step(*batch)
    assert trainer.step_count == 1
    assert all(value > 0 for value in losses.terms().values())
    assert list(losses.terms()) == [
        *(f"cls{i}" for i in range(1, 5)),
        *(f"lmim{i}" for i in range(1, 5)),
        "rec",
        "sf",
        "total",
    ]
    expected = sum(losses.cls) + 0.1 * sum(losses.lmim) + 0.1 * losses.rec + losses.sf
    assert losses.total == pytest.approx(expected, rel=1e-6)


def test_a_tiny_set_is_learned_by_heart(batch):
    with blan.Trainer(**SMALL, dropout=0, beta=0, learning_rate=2e-3, schedule="constant") as trainer:
        first = trainer.step(*batch)
        for _ in range(80):
            last = trainer.step(*batch)
    assert last.sf < 0.02 < 1 < first.sf


def test_booleans_are_labels(batch):
    pixels, labels = batch
    with blan.Trainer(**SMALL) as one, blan.Trainer(**SMALL) as other:
        assert one.step(pixels, labels) == other.step(pixels, labels > 0)


def test_unknown_labels_do_not_count(trainer, batch):
    pixels, labels = batch
    losses = trainer.step(pixels, np.zeros_like(labels))
    assert losses.cls == (0, 0, 0, 0) and losses.sf == 0 and losses.rec > 0


def test_gradients_and_parameters(trainer, batch):
    with pytest.raises(blan.InvalidArgumentError):
        trainer.gradient("fusion.weight")
    before = trainer.parameter("fusion.weight")
    np.testing.assert_allclose(before, np.full((5, 3), 0.2), rtol=1e-6)
    trainer.step(*batch)
    gradient = trainer.gradient("fusion.weight")
    assert gradient.shape == (5, 3) and np.abs(gradient).max() > 0
    np.testing.assert_allclose(trainer.parameter("fusion.weight"), before - 1e-4 * gradient, rtol=1e-5)
    assert trainer.shapes["reconstruction.conv.weight"] == (3, 4, 7, 7)
    for call in (trainer.gradient, trainer.parameter):
        with pytest.raises(blan.InvalidArgumentError, match=r"nothing\.weight"):
            call("nothing.weight")


def test_frozen_tensors_stay(batch):
    with blan.Trainer(**SMALL, freeze=["encoder", "decoder"]) as trainer:
        names = ["encoder.conv1.weight", "decoder.block1.0.conv1.weight", "classifiers.0.fc1.weight"]
        before = [trainer.parameter(name) for name in names]
        trainer.step(*batch)
        same = [np.array_equal(trainer.parameter(name), old) for name, old in zip(names, before, strict=True)]
    assert same == [True, True, False]


@pytest.mark.parametrize(
    "options",
    [
        {"width": 6},
        {"input_size": 100},
        {"variant": 7},
        {"attention": "sideways"},
        {"schedule": "bumpy"},
        {"statistics": "none"},
        {"dropout": 1.0},
        {"alpha": -1.0},
        {"label_smoothing": 0.5},
        {"learning_rate": float("nan")},
        {"adam_betas": (1.0, 0.999)},
        {"accumulate": 0},
        {"threads": -1},
        {"positive_weights": [1.0, 2.0, -1.0]},
        {"positive_weights": {"Hat": 2.0}},
        {"freeze": "no.such.tensor"},
        {"attributes": ["one", "one"]},
    ],
    ids=lambda options: "-".join(options),
)
def test_options_out_of_range(options):
    with pytest.raises(blan.InvalidArgumentError) as error:
        blan.Trainer(**(SMALL | options))
    assert len(str(error.value)) > 10


def test_positive_weights_are_as_many_as_attributes(trainer, tmp_path):
    model, checkpoint = tmp_path / "model.safetensors", tmp_path / "checkpoint.safetensors"
    trainer.export(model)
    trainer.save(checkpoint)
    new = {name: value for name, value in SMALL.items() if name != "attributes"}
    for options, count in (
        (SMALL, 3),
        (new, 40),
        ({"start": model, "threads": 1}, 3),
        ({"start": model, "attributes": ["Hat", "circle"], "threads": 1}, 2),
        ({"start": checkpoint, "threads": 1}, 3),
    ):
        for wrong in (count - 1, count + 1):
            with pytest.raises(blan.ShapeError, match=f"{wrong} positive_weights; expected {count}"):
                blan.Trainer(**options, positive_weights=[2.0] * wrong)
        blan.Trainer(**options, positive_weights=[2.0] * count).close()


def test_a_start_that_is_no_model(tmp_path):
    path = tmp_path / "start.safetensors"
    for content in (b"", b"\xff" * 8, b"\2" + bytes(7) + b"{}", b"\2" + bytes(7) + b"[]"):
        path.write_bytes(content)
        with pytest.raises(blan.FormatError, match=r"start\.safetensors is neither a model nor a checkpoint"):
            blan.Trainer(path, positive_weights=[1.0])
    with pytest.raises(blan.FileError, match=r"gone\.safetensors"):
        blan.Trainer("gone.safetensors", positive_weights=[1.0])


def test_files_that_are_not_there():
    for options in ({"start": "gone.safetensors"}, {"encoder": "gone.safetensors"}):
        with pytest.raises(blan.FileError, match=r"gone\.safetensors"):
            blan.Trainer(**(SMALL | options))


def test_arrays_of_other_shapes(trainer, batch):
    pixels, labels = batch
    for wrong in ((pixels[:, :, :32], labels), (pixels, labels[:4]), (pixels[0], labels), (pixels, labels[:, :2])):
        with pytest.raises(blan.ShapeError):
            trainer.step(*wrong)
    with pytest.raises(blan.InvalidArgumentError, match="labels"):
        trainer.step(pixels, labels + 2)
    with pytest.raises(blan.InvalidArgumentError, match="pixels have dtype uint8; expected floats"):
        trainer.step(np.zeros(pixels.shape, np.uint8), labels)
    with pytest.raises(blan.InvalidArgumentError):
        trainer.step(pixels[:1], labels[:1])  # LMIM needs a second image
    assert trainer.step_count == 0


def test_a_loss_that_is_not_finite_changes_nothing(trainer, batch):
    pixels, labels = batch
    before = trainer.parameter("encoder.conv1.weight")
    with pytest.raises(blan.InternalError) as error:
        trainer.step(np.full_like(pixels, np.nan), labels)
    assert "step 1" in str(error.value)
    np.testing.assert_array_equal(trainer.parameter("encoder.conv1.weight"), before)


def test_save_and_resume_go_on_bit_for_bit(batch, tmp_path):
    with blan.Trainer(**SMALL) as whole, blan.Trainer(**SMALL) as part:
        expected = [whole.step(*batch) for _ in range(4)]
        got = [part.step(*batch) for _ in range(2)]
        part.save(tmp_path / "half.safetensors")
        with blan.Trainer.resume(tmp_path / "half.safetensors", threads=1) as rest:
            assert rest.step_count == 2
            assert rest.names == shapes.ATTRIBUTES
            got += [rest.step(*batch) for _ in range(2)]
            np.testing.assert_array_equal(rest.parameter("fusion.weight"), whole.parameter("fusion.weight"))
    assert got == expected


def test_the_seed_decides(batch):
    with blan.Trainer(**SMALL) as one, blan.Trainer(**SMALL) as same, blan.Trainer(**(SMALL | {"seed": 6})) as other:
        losses = [trainer.step(*batch) for trainer in (one, same, other)]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("storage", ["f32", "f16", "bf16"])
def test_export(trainer, batch, parts, tmp_path, storage):
    trainer.step(*batch)
    trainer.export(tmp_path / "model.safetensors", storage)
    with blan.load(tmp_path / "model.safetensors") as model:
        assert model.trained and model.names == shapes.ATTRIBUTES
        assert model.predict(parts[0].paths[0], aligned=True).error is None
    with pytest.raises(blan.InvalidArgumentError, match="storage"):
        trainer.export(tmp_path / "model.safetensors", "f8")


def test_training_heads_are_exported_when_asked(trainer, tmp_path):
    from safetensors.numpy import load_file

    trainer.export(tmp_path / "lean.safetensors")
    trainer.export(tmp_path / "full.safetensors", training_heads=True)
    lean, full = (set(load_file(tmp_path / f"{name}.safetensors")) for name in ("lean", "full"))
    assert lean < full
    assert {name.split(".")[0] for name in full - lean} == {"lmim", "reconstruction"}


def test_fit(trainer, parts, tmp_path):
    events = []
    history = trainer.fit(*parts, epochs=2, batch=16, checkpoints=tmp_path, on_progress=events.append)
    assert [event.step for event in events if event.event == "step"] == list(range(1, 9))
    epochs = [event for event in events if event.event == "epoch"]
    assert [event.epoch for event in epochs] == [1, 2]
    assert all(0 <= event.validation_accuracy <= 1 and event.validation_loss > 0 for event in epochs)
    assert {event.steps for event in events} == {8} and {event.epochs for event in events} == {2}
    validations = [event for event in events if event.event == "validation"]
    assert validations[-1].validated == validations[-1].validation_count == len(parts[1])
    assert history.epochs == epochs and not history.cancelled
    assert history.best_accuracy == max(event.validation_accuracy for event in epochs)
    assert history.best_epoch == next(e.epoch for e in epochs if e.validation_accuracy == history.best_accuracy)
    assert len(history.steps) == 8
    assert {path.name for path in tmp_path.iterdir()} == {"last.safetensors", "best.safetensors"}


def test_fit_without_validation(trainer, parts):
    history = trainer.fit(parts[0], epochs=1, batch=16)
    assert np.isnan(history.best_accuracy) and history.best_epoch == 0


def test_false_stops_and_what_is_left_is_the_same(parts, tmp_path):
    options = {"epochs": 2, "batch": 16, "checkpoints": tmp_path / "run"}
    with blan.Trainer(**SMALL) as whole:
        whole.fit(*parts, **options | {"checkpoints": None})
        expected = whole.parameter("encoder.conv1.weight")
    with blan.Trainer(**SMALL) as part:
        history = part.fit(*parts, **options, on_progress=lambda progress: progress.step < 3)
        assert history.cancelled and len(history.steps) == 3
    with blan.Trainer.resume(tmp_path / "run" / "last.safetensors", threads=1) as rest:
        history = rest.fit(*parts, **options)
        assert len(history.steps) == 5 and not history.cancelled
        np.testing.assert_array_equal(rest.parameter("encoder.conv1.weight"), expected)


@pytest.mark.parametrize("event", ["step", "validation", "epoch"])
def test_an_exception_stops_and_comes_back(trainer, parts, tmp_path, event):
    class OwnError(Exception):
        pass

    def fail(progress):
        if progress.event == event:
            raise OwnError("enough")

    with pytest.raises(OwnError, match="enough"):
        trainer.fit(*parts, epochs=2, batch=16, checkpoints=tmp_path, on_progress=fail)
    assert (tmp_path / "last.safetensors").exists()
    trainer.save(tmp_path / "again.safetensors")


def test_an_interrupt_during_the_last_save(trainer, parts, tmp_path, monkeypatch):
    class Late:
        """The library, with Ctrl-C pressed when no callback is to come any more."""

        def __getattr__(self, name):
            return getattr(library(), name)

        def blan_trainer_fit(self, *arguments):
            status = library().blan_trainer_fit(*arguments)
            signal.raise_signal(signal.SIGINT)
            return status

    monkeypatch.setattr("blan.training.trainer.library", Late)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            trainer.fit(*parts, epochs=1, batch=16, checkpoints=tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    with blan.Trainer.resume(tmp_path / "last.safetensors") as rest:
        assert rest.step_count == 4


def test_interrupt(trainer, parts, tmp_path):
    def interrupt(progress):
        if progress.event == "step":
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            trainer.fit(*parts, epochs=2, batch=16, checkpoints=tmp_path, on_progress=interrupt)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    with blan.Trainer.resume(tmp_path / "last.safetensors") as rest:
        assert rest.step_count < 3


def test_other_threads_keep_their_hands_off(trainer, parts):
    errors = []

    def save():
        try:
            trainer.save("never.safetensors")
        except blan.InvalidArgumentError as error:
            errors.append(str(error))

    def listen(progress):
        thread = threading.Thread(target=save)
        thread.start()
        thread.join()
        return False

    trainer.fit(*parts, epochs=1, batch=16, on_progress=listen)
    assert len(errors) == 1 and "one thread at a time" in errors[0]


def test_a_closed_trainer(trainer, batch):
    trainer.close()
    with pytest.raises(blan.InvalidArgumentError, match="closed"):
        trainer.step(*batch)
    assert "closed" in repr(trainer)


def test_fit_options_out_of_range(trainer, parts):
    for wrong in ({"epochs": 0}, {"batch": 0}, {"batch": 1}, {"shift": 2.0}, {"cache_bytes": -1}, {"patience": -1}):
        with pytest.raises(blan.InvalidArgumentError):
            trainer.fit(*parts, **({"epochs": 1, "batch": 16} | wrong))


def test_images_that_cannot_be_read(trainer, tmp_path):
    folder = shapes.write(tmp_path / "data", 12, split=False)
    (folder / "004.png").write_bytes(b"not a picture")
    data = Dataset.open(folder)
    with pytest.raises(blan.BlanError, match=r"004\.png"):
        trainer.fit(data, epochs=1, batch=4)
    skipped = []
    with blan.Trainer(**SMALL) as other:
        other.fit(
            data,
            epochs=1,
            batch=4,
            skip_unreadable=True,
            on_progress=lambda p: skipped.append(p.message) if p.event == "skipped" else None,
        )
    assert len(skipped) == 1 and "004.png" in skipped[0]


def test_no_leak_of_trainers(batch):
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for _ in range(5):
        blan.Trainer(**SMALL).step(*batch)
    gc.collect()
    before = resident()
    for _ in range(30):
        blan.Trainer(**SMALL).step(*batch)
    gc.collect()
    assert resident() - before < 32 << 20


FULL_DISK = """
import resource, signal, sys
import blan
from blan.dataset import Dataset

checkpoint, data = sys.argv[1:]
trainer = blan.Trainer.resume(checkpoint, threads=1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    trainer.save(checkpoint)
except blan.FileError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_earlier_checkpoint(trainer, batch, drawings, tmp_path):
    checkpoint = tmp_path / "last.safetensors"
    trainer.step(*batch)
    trainer.save(checkpoint)
    earlier = checkpoint.read_bytes()
    command = [sys.executable, "-c", FULL_DISK, str(checkpoint), str(drawings)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert str(checkpoint) in result.stdout
    assert checkpoint.read_bytes() == earlier
    assert [path.name for path in tmp_path.iterdir()] == ["last.safetensors"]


def test_balanced_weights(tmp_path):
    path = tmp_path / "labels.csv"
    rows = ["path,common,rare,never,unknown,even"]
    rows += [f"{i}.jpg,{int(i != 0)},{int(i == 0)},0,{'1' if i == 0 else ''},{i % 2}" for i in range(10)]
    path.write_text("\n".join(rows) + "\n")
    weights = blan.balanced_weights(Dataset.open(path))
    np.testing.assert_allclose(weights, [1 / 9, 9, 1, 1, 1])
    np.testing.assert_allclose(blan.balanced_weights(Dataset.open(path), limit=4), [1 / 4, 4, 1, 1, 1])
