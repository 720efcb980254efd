"""Checks face detection on composites of CelebA faces and times it beside facenet-pytorch and ONNX Runtime.

    benchmarks/run.sh detection [--celeba FOLDER] [--model FILE] [--parts faces,reference,time,template] [--repeats 20]

faces      200 photos with one face each, 0.7 to 4 times the size of celeba-8k's images, turned by up to 20 degrees:
           share of faces found, false boxes, and the accuracy of the attributes after detection and alignment beside
           that on the original crops.
reference  boxes and landmarks on 100 of the photos beside facenet-pytorch's MTCNN: largest differences in pixels.
time       a frame of 1280 x 720 with one face to its attributes, beside facenet-pytorch's MTCNN and ONNX Runtime
           running the same network. Peers take turns, as in benchmarks/inference.py.
template   where the detector puts its points on 2,000 aligned training images, on average: FaceDetector.template.

The exit status is 1 where a limit is missed: at least 95 % found, at most 2 % false, within 1.5 points, within 1 pixel,
at most half the time.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import blan
import numpy as np
from composites import TEMPLATE, TRAIN, Composite, composites, matches, part_of
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[1]
PARTS = ("faces", "reference", "time", "template")
PHOTOS, REFERENCE_PHOTOS, TEMPLATE_PHOTOS = 200, 100, 2000
FRAME = (1280, 720)
PEERS = ("libblan-faces", "facenet-onnxruntime")
PAUSE = 0.25
CALLS = 3


@dataclass(frozen=True)
class Outcome:
    """What became of some composites.

    Attributes:
        photos, found, boxes, false: counts.
        missed: pixels between the eyes of the faces that were not found.
        accuracy, accuracy_of_crops: shares of right answers over the faces found, after detection and on the crops.
        agreement: share of answers that are the same.
    """

    photos: int
    found: int
    boxes: int
    false: int
    missed: list[float]
    accuracy: float
    accuracy_of_crops: float
    agreement: float


def check_faces(photos: list[Composite], model: blan.Model, detector: blan.Detector | None = None) -> Outcome:
    """Looks for the faces of composites and predicts them, found and as crops."""
    found: list[tuple[Composite, blan.Prediction]] = []
    boxes = 0
    missed = []
    for composite in photos:
        faces = model.predict(composite.pixels, detector=detector)
        boxes += len(faces)
        hits = [face for face in faces if matches(composite, face.face.landmarks)]
        if hits:
            found.append((composite, hits[0]))
        else:
            missed.append(composite.eyes)
    crops = model.predict([composite.face for composite, _ in found], aligned=True)
    truth = np.array([composite.labels > 0 for composite, _ in found])
    answers = np.array([face.probabilities >= face.thresholds for _, face in found])
    on_crops = np.array([face.probabilities >= face.thresholds for face in crops])
    return Outcome(
        photos=len(photos),
        found=len(found),
        boxes=boxes,
        false=boxes - len(found),
        missed=missed,
        accuracy=float((answers == truth).mean()),
        accuracy_of_crops=float((on_crops == truth).mean()),
        agreement=float((answers == on_crops).mean()),
    )


def part_faces(photos: list[Composite], model: blan.Model) -> bool:
    """Prints what `check_faces` says; whether it is within the limits."""
    outcome = check_faces(photos, model)
    lost = 100 * (outcome.accuracy_of_crops - outcome.accuracy)
    print(f"faces: {outcome.found} of {outcome.photos} found ({outcome.found / outcome.photos:.1%})")
    if outcome.missed:
        print(f"  missed: {', '.join(f'{eyes:.0f}' for eyes in sorted(outcome.missed))} pixels between the eyes")
    print(f"  {outcome.false} of {outcome.boxes} boxes are false ({outcome.false / outcome.boxes:.1%})")
    trained = "" if model.trained else " (the model is not trained: these three mean nothing)"
    print(
        f"  accuracy {outcome.accuracy:.2%} after detection, {outcome.accuracy_of_crops:.2%} on the crops: "
        f"{lost:+.2f} points lost; {outcome.agreement:.2%} of the answers are the same{trained}"
    )
    good = outcome.found >= 0.95 * outcome.photos and outcome.false <= 0.02 * outcome.boxes
    return good and (not model.trained or lost <= 1.5)


def part_reference(photos: list[Composite]) -> bool:
    """Compares boxes and landmarks with facenet-pytorch's; whether all lie within a pixel."""
    import facenet

    reference, detector = facenet.Detector(), blan.Detector()
    worst_box = worst_point = 0.0
    count = different = 0
    for composite in photos:
        expected, faces = reference(composite.pixels), detector.detect(composite.pixels)
        if len(expected.boxes) != len(faces):
            different += 1
            continue
        for face, box, landmarks in zip(faces, expected.boxes, expected.landmarks, strict=True):
            worst_box = max(worst_box, float(np.abs(face.box - box).max()))
            worst_point = max(worst_point, float(np.abs(face.landmarks - landmarks).max()))
            count += 1
    print(f"reference: {count} faces in {len(photos)} photos, facenet-pytorch {facenet.version()}")
    print(f"  largest difference of a box {worst_box:.6f}, of a landmark {worst_point:.6f} pixels")
    print(f"  photos with another number of faces: {different}")
    return different == 0 and max(worst_box, worst_point) <= 1


def part_template(celeba: Path) -> bool:
    """Prints the mean landmarks on aligned training images, in pixels of 178 x 218."""
    detector = blan.Detector(min_face=50)
    points = []
    for name in part_of(celeba, TRAIN)[:TEMPLATE_PHOTOS]:
        photo = Image.open(celeba / "img_align_celeba" / name).convert("RGB")
        faces = detector.detect(photo.resize((178, 218), Image.Resampling.BICUBIC))
        if len(faces) == 1:
            points.append(faces[0].landmarks)
    mean = ", ".join(f"({x:.1f}, {y:.1f})" for x, y in np.mean(points, 0))
    print(f"template: {mean} over {len(points)} images; CelebA's: {', '.join(map(str, map(tuple, TEMPLATE.tolist())))}")
    return True


def part_time(model: Path, threads: int, repeats: int) -> bool:
    """Times a frame beside facenet-pytorch and ONNX Runtime; whether libblan takes at most half of the time."""
    from peers import Task
    from worker import Worker

    folder = REPOSITORY / "build" / "benchmark" / "detection"
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.onnx"):
        stale.unlink()  # of another model, maybe
    size = blan.load(model).input_size
    task = Task(model, folder, (1, 3, size, size), threads)
    pixels = frame()
    workers = {name: Worker(name, task) for name in PEERS}
    outputs = {name: worker.predict(pixels) for name, worker in workers.items()}
    difference = float(np.abs(outputs[PEERS[0]] - outputs[PEERS[1]]).max())
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in PEERS}
    random = np.random.default_rng(0)
    for _ in range(repeats):
        for name in random.permutation(list(workers)):
            time.sleep(PAUSE)
            times[name] += workers[name].time(pixels, CALLS)
    for worker in workers.values():
        worker.close()
    print(f"time: {FRAME[0]}x{FRAME[1]}, one face, {threads} threads, {repeats} rounds of {CALLS} calls")
    milliseconds = {name: 1000 * np.array(values) for name, values in times.items()}
    for name, values in milliseconds.items():
        median, least, cpu = np.median(values[:, 0]), values[:, 0].min(), np.median(values[:, 1])
        figures = f"median {median:7.1f} ms, minimum {least:7.1f} ms, CPU {cpu:7.1f} ms"
        print(f"  {name:20} {workers[name].version:34} {figures}")
    ratio = np.median(milliseconds[PEERS[0]][:, 0]) / np.median(milliseconds[PEERS[1]][:, 0])
    least = milliseconds[PEERS[0]][:, 0].min() / milliseconds[PEERS[1]][:, 0].min()
    print(
        f"  libblan takes {ratio:.2f} of the time ({least:.2f} by the minima); outputs differ by up to {difference:.4f}"
    )
    print(f"  load of the machine: {os.getloadavg()[0]:.1f}")
    return ratio <= 0.5


def frame() -> np.ndarray:
    """A frame with one face: the bundled photo, enlarged, on its own blurred copy."""
    source = Image.open(REPOSITORY / "examples" / "data" / "astronaut_full.jpg").convert("RGB")
    ground = source.resize((16, 9), Image.Resampling.BOX).resize(FRAME, Image.Resampling.BICUBIC)
    side = 560  # room above: peers fill in what lies outside the frame in ways of their own
    ground.paste(source.resize((side, side), Image.Resampling.BICUBIC), ((FRAME[0] - side) // 2, FRAME[1] - side))
    return np.asarray(ground)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks/run.sh detection", description=__doc__.splitlines()[0])
    folder = os.environ.get("BLAN_CELEBA", REPOSITORY.parent / "shared" / "data" / "celeba-8k")
    parser.add_argument(
        "--celeba", type=Path, default=Path(folder), help="folder of CelebA images (default: $BLAN_CELEBA)"
    )
    parser.add_argument("--model", type=Path, default=Path(blan.default_model_path()), help="model file")
    parser.add_argument("--parts", type=lambda text: text.split(","), default=list(PARTS), help=",".join(PARTS))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads of each peer")
    parser.add_argument("--repeats", type=int, default=20, help="rounds of the time part")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.parts) - set(PARTS)):
        parser.error(f"unknown parts: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return arguments


def main() -> int:
    """Runs the parts; returns the exit status."""
    arguments = parse()
    good = True
    if not (arguments.celeba / "img_align_celeba").is_dir():
        print(f"no CelebA images in {arguments.celeba}: the time part alone runs", file=sys.stderr)
        arguments.parts = [part for part in arguments.parts if part == "time"]
    photos = composites(arguments.celeba, PHOTOS) if {"faces", "reference"} & set(arguments.parts) else []
    if "faces" in arguments.parts:
        good &= part_faces(photos, blan.load(arguments.model))
    if "reference" in arguments.parts:
        good &= part_reference(photos[:REFERENCE_PHOTOS])
    if "template" in arguments.parts:
        good &= part_template(arguments.celeba)
    if "time" in arguments.parts:
        good &= part_time(arguments.model, arguments.threads, arguments.repeats)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
