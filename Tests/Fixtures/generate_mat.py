"""Writes the MATLAB files of Tests/Fixtures/mat, which the tests of BLANData read. Needs numpy and scipy.

Usage: python Tests/Fixtures/generate_mat.py
"""

from pathlib import Path

import numpy as np
from scipy.io import savemat
from scipy.sparse import csc_matrix

FOLDER = Path(__file__).parent / "mat"
NAMES = ["Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee/Ann_Lee_0002.jpg", "Bo/Bo_0001.jpg", "Cy_X/Cy_X_0001.jpg"]

KINDS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]


def cells(texts):
    """A column of cells, as LFWA holds its names."""
    column = np.empty((len(texts), 1), dtype=object)
    column[:, 0] = texts
    return column


def main():
    FOLDER.mkdir(exist_ok=True)
    lfwa = {
        "label": np.array([[1, 0], [0, 0], [1, 1], [0, 1]], dtype=np.float64),
        "name": cells([name.replace("/", "\\") for name in NAMES]),
        "AttrName": cells(["5 o Clock Shadow", "Smiling"]),
    }
    savemat(FOLDER / "lfwa.mat", lfwa, do_compression=True)
    savemat(FOLDER / "lfwa_plain.mat", lfwa)
    savemat(
        FOLDER / "lfwa_bytes.mat",
        # Names as a character matrix, labels as signed bytes with unknown ones.
        {"label": np.array([[1, 0], [-1, -1], [1, 1], [-1, 1]], dtype=np.int8), "name": NAMES, "AttrName": ["A", "B"]},
        do_compression=True,
    )
    savemat(
        FOLDER / "indices_train_test.mat",
        {
            "indices_img_train": np.array([[2], [1]], dtype=np.float64),
            "indices_img_test": np.array([[3], [4]], dtype=np.uint16),
        },
    )
    nested = np.empty((1, 2), dtype=object)
    nested[0, 0] = cells(["inner"])
    nested[0, 1] = np.arange(6, dtype=np.int16).reshape(2, 3)
    savemat(
        FOLDER / "kinds.mat",
        {
            **{f"n_{kind}": np.array([[1, 2, 3], [4, 5, 6]], dtype=kind) for kind in KINDS},
            "negative": np.array([[-1.5, -7]]),
            "umlaut": "Zoë",
            "nested": nested,
            "empty": np.zeros((0, 3)),
            "structure": {"field": 1},
            "complex": np.array([[1 + 2j]]),
            "cube": np.zeros((2, 2, 2)),
            "sparse": csc_matrix(np.eye(3)),
        },
        do_compression=True,
    )


if __name__ == "__main__":
    main()
