"""Evaluation and calibration through the package and the command line."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import blan
import numpy as np
import pytest
from blan import paper
from blan.cli.app import app
from blan.report import png
from safetensors import safe_open
from typer.testing import CliRunner

COUNT = 60
ATTRIBUTES = ("Smiling", "Male", "Freckles")
"""The last is none of the model's."""


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sixty pictures of noise with a table: labels, a part and a site for each."""
    path = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(11)
    rows = [["path", "split", *ATTRIBUTES, "site"]]
    for index in range(COUNT):
        # Some bright and some dark, so that the answers differ.
        pixels = random.integers(0, 64 + 190 * (index % 3) // 2, (24, 20, 3), dtype=np.uint8)
        (path / f"{index}.png").write_bytes(png.encode(pixels))
        part = "train" if index < 10 else "val" if index < 30 else "test"
        labels = [index % 2, int(index % 5 < 2), "" if index % 4 else 1]
        rows.append([f"{index}.png", part, *labels, ("north", "south", "")[index % 3]])
    with (path / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture(scope="module")
def data(folder):
    return blan.Dataset.open(folder)


@pytest.fixture(scope="module")
def found(model, data):
    return model.evaluate(data, groups=["Male", "site", ("Male", "site")], resamples=50, training=data)


def test_figures_are_those_of_the_predictions(model, data, found):
    predictions = model.predict(data.paths, aligned=True)
    assert found.probabilities.shape == (COUNT, len(model.names))
    np.testing.assert_array_equal(found.probabilities, [p.probabilities for p in predictions])
    for attribute in ("Smiling", "Male"):
        index = model.names.index(attribute)
        truth = data.labels[:, data.attributes.index(attribute)] > 0
        probabilities = found.probabilities[:, index].astype(np.float64)
        decided = found.probabilities[:, index] >= model.thresholds[index]
        assert found.accuracy[index] == pytest.approx(np.mean(decided == truth))
        assert found.majority[index] == pytest.approx(max(truth.mean(), 1 - truth.mean()))
        assert found.recall[index] == pytest.approx(decided[truth].mean())
        assert found.brier[index] == pytest.approx(np.mean((probabilities - truth) ** 2))
        np.testing.assert_array_equal(found.labels[:, index] > 0, truth)
    assert found.mean.accuracy == pytest.approx(np.nanmean(found.accuracy))


def test_unknown_labels_count_for_nothing(model, found):
    index = model.names.index("Bald")
    assert found["Bald"]["unknown"] == COUNT and found["Bald"]["positives"] == 0
    assert np.isnan(found.accuracy[index]) and np.isnan(found.levels.attributes[:, index]).all()
    with pytest.raises(KeyError):
        found["Freckles"]
    with pytest.raises(AttributeError, match="nonsense"):
        _ = found.nonsense


def test_levels_are_those_of_the_scores(model, data, found):
    index = model.names.index("Smiling")
    truth = data.labels[:, 0] > 0
    scores = np.array([p.scores for p in model.predict(data.paths, scores=True, aligned=True)])
    expected = [np.mean((scores[:, level, index, 1] >= scores[:, level, index, 0]) == truth) for level in range(5)]
    assert found.levels.names == ("AC_1", "AC_2", "AC_3", "AC_4", "s_5", "fused")
    np.testing.assert_allclose(found.levels.attributes[:5, index], expected)


def test_groups(model, data, found):
    by_male, by_site, by_both = found.groups
    assert (by_male.name, by_both.name) == ("Male", "Male x site")
    assert [group.name for group in by_both] == ["Male, north", "Male, south", "not Male, north", "not Male, south"]
    north = np.array([site == "north" for site in data.groups["site"]])
    assert by_site["north"].images == north.sum() and by_site["north"].too_few
    index = model.names.index("Smiling")
    decided = found.probabilities[:, index] >= model.thresholds[index]
    right = decided == (data.labels[:, 0] > 0)
    value, low, high = by_site["north"].rates["accuracy"][index]
    assert value == pytest.approx(right[north].mean())
    assert low <= value <= high
    male = data.labels[:, 1] > 0
    gap = by_male.gaps["accuracy"]["Smiling"]
    assert np.isnan(gap.value) and gap.highest is None  # 24 of the 60 are Male: too few
    assert by_male["not Male"].images == (~male).sum() and not by_male["not Male"].too_few
    with pytest.raises(KeyError):
        by_male["Young"]


def test_the_seed_of_the_intervals(model, data, found):
    again = model.evaluate(data, groups=["Male", "site", "Male,site"], resamples=50, training=data)
    assert again.to_dict() == found.to_dict()
    assert (
        model.evaluate(data, groups="Male", resamples=50, seed=9).groups[0]["Male"].mean != found.groups[0]["Male"].mean
    )


def test_the_dictionary_is_json(model_path, found):
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (content["model"], content["trained"]) == (str(model_path), False)
    assert content["mean"]["accuracy"] == found.mean.accuracy
    content["mean"]["accuracy"] = None
    assert found.to_dict()["mean"]["accuracy"] is not None


def test_the_table(found):
    text = found.table()
    assert "Smiling" in text and "widest gap" in text and "by Male x site" in text
    assert f"{100 * found.mean.accuracy:.2f}" in text
    assert "UNTRAINED" in repr(found)


def test_a_path_is_data(model, folder):
    assert model.evaluate(folder, resamples=0).images == COUNT


@pytest.fixture
def gone(folder, tmp_path):
    """A table that names a picture which is not there."""
    path = tmp_path / "gone.csv"
    path.write_text(f"path,Smiling\n{folder}/0.png,1\n{tmp_path}/gone.png,0\n")
    return path


def test_an_unreadable_image(model, model_path, gone, tmp_path):
    with pytest.raises(blan.FileError, match=r"gone\.png"):
        model.evaluate(gone)
    found = model.evaluate(gone, on_unreadable="skip")
    assert (found.images, found.unreadable[0].index) == (1, 1)
    assert "gone.png" in found.unreadable[0].message and np.isnan(found.probabilities[1]).all()
    fitted = blan.calibrate(model_path, gone, tmp_path / "out.safetensors", on_unreadable="skip")
    assert [image.path for image in fitted.unreadable] == [str(tmp_path / "gone.png")]


def test_progress_may_stop_and_its_errors_come_through(model, data):
    seen = []
    model.evaluate(data, batch=25, resamples=0, on_progress=lambda done, count: seen.append((done, count)))
    assert seen == [(25, COUNT), (50, COUNT), (COUNT, COUNT)]
    with pytest.raises(blan.CancelledError, match="20 of 60"):
        model.evaluate(data, batch=20, on_progress=lambda done, count: False)

    def interrupted(_done, _count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.evaluate(data, on_progress=interrupted)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": "Beard"}, "Beard"),
        ({"resamples": -1}, "resamples is -1"),
        ({"batch": 0}, "batch is 0"),
        ({"batch": 2**32}, "batch"),
        ({"seed": -1}, "seed is -1"),
        ({"on_unreadable": "ignore"}, "on_unreadable"),
    ],
)
def test_wrong_options(model, data, options, message):
    with pytest.raises(blan.InvalidArgumentError, match=message):
        model.evaluate(data, **options)


# ------------------------------------------------------------------------------------------------------ calibration


def test_calibration_is_stored_and_used(model_path, data, tmp_path):
    out = tmp_path / "calibrated.safetensors"
    fitted = blan.calibrate(model_path, data, out, objective="balanced-accuracy")
    before, after = blan.load(model_path), blan.load(out)
    np.testing.assert_array_equal(after.thresholds, fitted.thresholds)
    assert after.config["temperatures"] == pytest.approx(fitted.temperatures.tolist())
    untouched = before.names.index("Bald")
    assert (fitted.thresholds[untouched], fitted.temperatures[untouched]) == (0.5, 1)
    first, second = before.evaluate(data, resamples=0), after.evaluate(data, resamples=0)
    for attribute in ("Smiling", "Male"):
        index = before.names.index(attribute)
        assert second.balanced_accuracy[index] >= max(first.balanced_accuracy[index], 0.5)
        # The probability is sigmoid((z1 - z0) / t).
        logits = after.predict(data.paths[0], logits=True, aligned=True).logits[index].astype(np.float64)
        expected = 1 / (1 + np.exp(-(logits[1] - logits[0]) / fitted.temperatures[index]))
        assert second.probabilities[0, index] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_temperatures_alone(model_path, data, tmp_path):
    fitted = blan.calibrate(model_path, data, tmp_path / "out.safetensors", thresholds=False)
    assert (fitted.thresholds == 0.5).all() and (fitted.temperatures != 1).sum() == 2


def test_calibration_keeps_tensors_and_foreign_metadata(model_path, data, tmp_path):
    from safetensors.numpy import load_file, save_file

    config = blan.load(model_path).config | {"recipe": {"seed": 2**64 - 1, "rates": [0.5, None, True]}}
    source = tmp_path / "source.safetensors"
    tensors = load_file(model_path)
    save_file(tensors, source, {"format": "blan", "blan.config": json.dumps(config), "note": "kept"})
    blan.calibrate(source, data, source)
    with safe_open(source, "numpy") as file:
        metadata = file.metadata()
        assert metadata["note"] == "kept"
        assert json.loads(metadata["blan.config"])["recipe"] == config["recipe"]
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(file.get_tensor(name), tensor)


def test_wrong_calibrations(model_path, data, tmp_path):
    out = tmp_path / "out.safetensors"
    for options in ({"objective": "luck"}, {"minimum_labels": 0}, {"threads": -1}, {"batch": 0}):
        with pytest.raises(blan.InvalidArgumentError):
            blan.calibrate(model_path, data, out, **options)
    with pytest.raises(blan.CancelledError):
        blan.calibrate(model_path, data, out, on_progress=lambda done, count: False)
    assert not out.exists()


# ---------------------------------------------------------------------------------------------------- command line


def test_evaluate_prints_a_table(model_path, folder):
    result = run("evaluate", folder, "--model", model_path, "--group", "site", "--resamples", 10)
    assert result.exit_code == 0
    assert "Smiling" in result.stdout and "widest gap" in result.stdout
    assert "30 images of" in result.stderr and "(test)" in result.stderr and "NOT TRAINED" in result.stderr


def test_evaluate_json(model_path, model, folder):
    result = run("evaluate", folder, "--model", model_path, "--json", "--split", "all", "--quiet")
    found = json.loads(result.stdout)
    assert found["images"] == COUNT
    assert found["mean"]["accuracy"] == model.evaluate(folder).mean.accuracy
    assert found["mean"]["training_majority"] is None


def test_the_training_part_gives_a_baseline(model_path, folder):
    found = json.loads(run("evaluate", folder, "--model", model_path, "--json").stdout)
    assert found["images"] == 30 and found["mean"]["training_majority"] is not None


def test_data_without_parts_are_taken_whole(model_path, folder, tmp_path):
    table = tmp_path / "plain.csv"
    table.write_text(f"path,Smiling\n{folder}/0.png,1\n{folder}/1.png,0\n")
    result = run("evaluate", table, "--model", model_path, "--json")
    assert json.loads(result.stdout)["images"] == 2 and "(all)" in result.stderr


def test_evaluate_csv(model_path, folder, tmp_path):
    result = run("evaluate", folder, "--model", model_path, "--csv", "-", "-q")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == 40
    smiling = next(row for row in rows if row["attribute"] == "Smiling")
    assert int(smiling["positives"]) == 15 and 0 <= float(smiling["AC_1"]) <= 1
    assert rows[0]["accuracy"] == ""
    assert run("evaluate", folder, "--model", model_path, "--csv", tmp_path / "no" / "where").exit_code == 2


def test_evaluate_without_an_image(model_path, gone):
    stopped = run("evaluate", gone, "--model", model_path)
    assert isinstance(stopped.exception, blan.FileError)
    skipped = run("evaluate", gone, "--model", model_path, "--on-error", "skip", "--json")
    assert skipped.exit_code == 1
    assert json.loads(skipped.stdout)["images"] == 1 and "1 of 2 images" in skipped.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate"],
        ["evaluate", "x", "--split", "half"],
        ["evaluate", "x", "--json", "--csv", "-"],
        ["calibrate", "x"],
        ["calibrate", "x", "--model", "m"],
        ["calibrate", "x", "--model", "m", "--out", "n", "--objective", "luck"],
    ],
)
def test_wrong_usage_is_status_two(arguments):
    assert run(*arguments).exit_code == 2


def test_a_group_that_is_not_there(model_path, folder):
    command = ["evaluate", str(folder), "--model", str(model_path), "--group", "Beard"]
    result = subprocess.run([sys.executable, "-m", "blan.cli", *command], capture_output=True, text=True, check=False)
    assert result.returncode == 1 and result.stdout == ""
    assert "Beard" in result.stderr and "Traceback" not in result.stderr


def test_calibrate_command(model_path, folder, tmp_path):
    out = tmp_path / "calibrated.safetensors"
    # The validation part has 8 images of Male.
    options = ["--model", model_path, "--out", out, "--minimum-labels", 8]
    result = run("calibrate", folder, *options, "--json")
    assert result.exit_code == 0
    fitted = json.loads(result.stdout)["attributes"]
    assert fitted["Bald"] == {"threshold": 0.5, "temperature": 1}
    assert fitted["Male"]["temperature"] == pytest.approx(
        blan.load(out).config["temperatures"][list(fitted).index("Male")]
    )
    assert "20 images of" in result.stderr and "(validation)" in result.stderr
    table = run("calibrate", folder, *options, "--no-thresholds", "--objective", "f1")
    assert "temperature" in table.stdout and f"wrote {out}" in table.stderr.replace("\n", "")


# ------------------------------------------------------------------------------------------------------------ page


def test_the_papers_figures():
    names = ["Smiling", "Freckles", "Young"]
    celeba = paper.accuracy(names)
    np.testing.assert_allclose(celeba.attributes, [0.9319, np.nan, 0.8906])
    assert (celeba.mean, paper.accuracy(names, "LFWA").mean) == pytest.approx((0.9180, 0.8713))
    for data in ("CelebA", "LFWA"):
        figures = paper.accuracy(blan.load().names, data)
        assert figures.attributes.mean() == pytest.approx(figures.mean, abs=1e-4)


@pytest.fixture(scope="module")
def page(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "evaluation.html"
    blan.write_evaluation(path, found)
    return path.read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_loads_nothing(page):
    from test_report import Balance

    balance = Balance()
    balance.feed(page)
    assert balance.open == []
    assert "<script" not in page and "src=" not in page and "href=" not in page


def test_the_page_shows_figures_groups_and_levels(page, found):
    assert f"<b>{100 * found.mean.accuracy:.2f}" in page
    assert "BLAN in the paper (CelebA)" in page and "Smiling, BLAN in the paper (CelebA): 93.2 %" in page
    assert "Groups: Male x site" in page and "too few" in page
    assert 'aria-label="Smiling"' in page and "31 more attributes" in page
    assert 'class="warning"' in page


def test_a_page_without_the_papers_figures_and_of_the_command(model_path, folder, tmp_path):
    path = tmp_path / "page.html"
    result = run("evaluate", folder, "--model", model_path, "--html", path, "--published", "none")
    assert result.exit_code == 0 and result.stdout == ""
    assert "in the paper (" not in path.read_text()
    with pytest.raises(blan.FileError, match="nowhere"):
        blan.write_evaluation(tmp_path / "nowhere" / "page.html", blan.load(model_path).evaluate(folder, resamples=0))


@pytest.mark.slow
def test_celeba(celeba):
    found = blan.load().evaluate(blan.Dataset.open(celeba, split="test"), groups="Male", resamples=20)
    assert found.images == 800
    # The model card's figure; its last digit may differ with the instruction set.
    assert found.mean.accuracy == pytest.approx(0.8860, abs=5e-4)
    assert found.mean.accuracy > 0.875
    # Of the labels alone.
    assert found.mean.majority == pytest.approx(0.8036, abs=1e-4)
