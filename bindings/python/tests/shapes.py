"""A small data set of drawn pictures, whose attributes a small network learns in seconds."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from blan.report import png

ATTRIBUTES = ("Bright", "Red", "Round")


def picture(labels, random, size=72):
    """A figure on a ground: bright or dark ground, red or blue figure, a disc or a square."""
    bright, red, is_round = (label > 0 for label in labels)
    pixels = np.full((size, size, 3), 200 if bright else 60, dtype=np.uint8)
    y, x = np.mgrid[:size, :size]
    row, column = random.integers(26, size - 26, 2)
    radius = random.integers(14, 22)
    dy, dx = abs(y - row), abs(x - column)
    inside = dy**2 + dx**2 < radius**2 if is_round else np.maximum(dy, dx) < radius * 0.89
    pixels[inside] = (220, 30, 30) if red else (30, 30, 220)
    noise = random.integers(-20, 21, pixels.shape)
    return np.clip(pixels.astype(int) + noise, 0, 255).astype(np.uint8)


def write(folder: Path, count=96, *, seed=0, split=True, attributes=ATTRIBUTES) -> Path:
    """Writes `count` pictures and labels.csv; returns the folder."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", *attributes, *(["split"] if split else [])])
        for index in range(count):
            labels = random.choice([-1, 1], 3)
            name = f"{index:03}.png"
            (folder / name).write_bytes(png.encode(picture(labels, random)))
            part = "train" if index % 3 else ("validation" if index % 2 else "test")
            writer.writerow([name, *labels[: len(attributes)], *([part] if split else [])])
    return folder
