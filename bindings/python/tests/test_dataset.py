"""Data sets through the package."""

from __future__ import annotations

import gc

import blan
import numpy as np
import pytest

TABLE = """path,split,Smiling,Hat,age
a.jpg,train,1,0,young
b.jpg,train,0,,
sub/c.jpg,val,1,1,old
d.jpg,test,,1,young
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return path


def test_a_table(table):
    data = blan.Dataset.open(table)
    assert len(data) == 4
    assert data.attributes == ("Smiling", "Hat")
    assert data.paths[2] == str(table.parent / "sub" / "c.jpg")
    assert data.labels.dtype == np.int8
    assert data.labels.tolist() == [[1, -1], [-1, 0], [1, 1], [0, 1]]
    assert data.groups == {"age": ("young", None, "old", "young")}
    assert repr(data) == f"<Dataset {table}: 4 images, 2 attributes>"
    with pytest.raises(ValueError, match="read-only"):
        data.labels[0, 0] = 0


def test_a_part_with_some_attributes(table):
    data = blan.Dataset.open(table, split="train", attributes=["Hat"], kind="csv")
    assert data.labels.tolist() == [[-1], [0]]
    assert len(blan.Dataset.open(table.parent, split="validation")) == 1


def test_subset_and_split(table):
    data = blan.Dataset.open(table)
    part = data.subset([3, 0])
    assert part.labels.tolist() == [[0, 1], [1, -1]]
    training, validation = data.split(0.25, seed=4)
    assert sorted(training.paths + validation.paths) == sorted(data.paths)
    assert len(validation) == 1
    again = data.split(0.25, seed=4)
    del data
    gc.collect()
    assert again[1].paths == validation.paths and part.groups["age"] == ("young", "young")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "half"}, "split is 'half'"),
        ({"kind": "zip"}, "kind is 'zip'"),
        ({"lfwa_protocol": "thirds"}, "lfwa_protocol"),
        ({"attributes": ["Beard"]}, "Beard"),
        ({"attributes": []}, "attribute_count"),
    ],
)
def test_wrong_options(table, options, message):
    with pytest.raises(blan.InvalidArgumentError, match=message):
        blan.Dataset.open(table, **options)


def test_wrong_places_and_shares(table):
    data = blan.Dataset.open(table)
    for items in ([], [4], [-1]):
        with pytest.raises(blan.InvalidArgumentError):
            data.subset(items)
    with pytest.raises(blan.InvalidArgumentError, match="share"):
        data.split(1.5)


def test_damage_and_absence_are_told_apart(table):
    with pytest.raises(blan.FileError, match="nowhere"):
        blan.Dataset.open("nowhere")
    table.write_text(TABLE + "e.jpg,train,3,1,old\n")
    with pytest.raises(blan.FormatError, match="line 6, column Smiling"):
        blan.Dataset.open(table)


def test_celeba(celeba):
    data = blan.Dataset.open(celeba, split="test")
    assert len(data) == 800 and len(data.attributes) == 40
    assert set(np.unique(data.labels)) == {-1, 1}
