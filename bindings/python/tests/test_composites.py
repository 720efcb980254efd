"""Faces of CelebA pasted into larger photos are found, and predicted as well as the original crops."""

from __future__ import annotations

import sys

import blan
import numpy as np
import pytest
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "benchmarks"))


def test_a_composite_has_its_face_where_it_says():
    """The geometry itself, on a picture whose landmarks are painted."""
    from composites import TEMPLATE, paste

    face = np.full((109, 89, 3), 255, dtype=np.uint8)
    for x, y in TEMPLATE / 2:
        face[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2] = 0
    random = np.random.default_rng(5)
    for scale, degrees in ((0.8, 12), (1, 0), (3.5, -20)):
        photo, landmarks = paste(face, scale, degrees, random)
        for x, y in landmarks:
            reach = max(1, round(scale))
            spot = photo[round(y) - reach : round(y) + reach + 1, round(x) - reach : round(x) + reach + 1]
            assert spot.min() < 100
            around = photo[round(y - 5 * scale), round(x)]
            assert around.min() > 200


@pytest.mark.slow
def test_faces_are_found_and_predicted_as_their_crops(celeba):
    """The limits of the whole: 95 % found, 2 % false, 1.5 points of accuracy."""
    from composites import composites
    from detection import check_faces

    model = blan.load()
    outcome = check_faces(composites(celeba, 200), model)
    assert outcome.photos == 200
    assert outcome.found >= 190, outcome.missed
    assert outcome.false <= 0.02 * outcome.boxes
    if not model.trained:
        pytest.skip("the bundled model is not trained: its accuracy means nothing")
    assert outcome.accuracy_of_crops > 0.8
    assert outcome.accuracy_of_crops - outcome.accuracy <= 0.015
