"""Finding faces in photos: libblan's own detector, and what others found."""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _structures
from ._arguments import checked_threads, path_bytes, within
from ._library import check, library
from .bundled import default_detector_path
from .errors import InvalidArgumentError, ShapeError
from .images import Color, Photo, Pixels, pixels_of, read_image, source_of, take_bitmap

_ROOM = 16
"""Faces that a call has room for at first; a photo with more is looked at again."""


@dataclass(frozen=True, eq=False)
class Face:
    """Where a face is, in pixels of the upright photo.

    Attributes:
        box: left, top, right and bottom; it may reach a little over the photo's edges.
        score: how sure the detector is, 0 to 1.
        landmarks: 5x2, x and y: the eye on the photo's left, the eye on its right, the nose, the mouth's left and right
            corners.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """The face as JSON can hold it."""
        return {
            "box": [round(side, 3) for side in self.box],
            "score": self.score,
            "landmarks": [[round(float(axis), 3) for axis in point] for point in self.landmarks],
        }


class Detector:
    """MTCNN (Zhang et al. 2016): finds faces and five landmarks of each, upright or turned by some 20 degrees.

    A detector never changes: any number of threads may use one at the same time. It can be pickled when it was loaded
    from a file.

    Attributes:
        path: the file that it was loaded from; "" for bytes.
        threads: threads that a call works on.
    """

    def __init__(
        self,
        detector: str | os.PathLike[str] | bytes | None = None,
        *,
        min_face: float = 20,
        thresholds: Sequence[float] = (0.6, 0.7, 0.7),
        max_faces: int = 0,
        factor: float = 0.709,
        threads: int = 0,
    ) -> None:
        """Loads a detector.

        Args:
            detector: a safetensors file, or the bytes of one; None = the detector that comes with the package.
            min_face: side of the smallest face that is looked for, in pixels, from 12; the time goes with its inverse
                square.
            thresholds: scores, above 0 and below 1, that a candidate must reach in P-Net, R-Net and O-Net.
            max_faces: only the largest so many; 0 = all.
            factor: size of one level of the image pyramid to the next larger one's, 0.1 to 0.95.
            threads: threads a call works on, 1 to 1024; 0 = all cores this process may use.

        Raises:
            BlanError: the file is no detector, or a number is out of range.
        """
        if len(thresholds) != 3:
            raise InvalidArgumentError(f"there are {len(thresholds)} thresholds; expected 3")
        self._arguments = (min_face, tuple(thresholds), max_faces, factor, threads)
        self._options = _structures.DetectOptions(
            ctypes.sizeof(_structures.DetectOptions),
            min_face,
            (ctypes.c_float * 3)(*thresholds),
            within("max_faces", max_faces, 0, 2**31 - 1),
            factor,
        )
        load = _structures.LoadOptions(ctypes.sizeof(_structures.LoadOptions), checked_threads(threads), 0)
        out = ctypes.c_void_p()
        if isinstance(detector, bytes):
            self.path = ""
            check(library().blan_detector_load_memory(detector, len(detector), ctypes.byref(load), ctypes.byref(out)))
        else:
            self.path = os.fspath(default_detector_path() if detector is None else detector)
            check(library().blan_detector_load(path_bytes(self.path), ctypes.byref(load), ctypes.byref(out)))
        self.pointer = out
        weakref.finalize(self, library().blan_detector_free, out).atexit = False
        self.threads: int = library().blan_detector_threads(out)
        self.detect(np.zeros((1, 1, 3), dtype=np.uint8))  # what is out of range is said here, not at the first photo

    @property
    def options(self) -> _structures.DetectOptions:
        """The options of each call."""
        return self._options

    def detect(self, photo: Photo, *, color: Color = "rgb", maximum_pixels: int = 0) -> list[Face]:
        """The faces of a photo, the largest first.

        Args:
            photo: a path, bytes, a PIL image or an array, as `Model.predict` takes them.
            color: order of an array's channels.
            maximum_pixels: a larger file is refused before it is decoded; 0 = 178,956,970.

        Raises:
            BlanError: the photo cannot be read; the class says why.
        """
        pixels = photo_pixels(photo, color, maximum_pixels)
        room = _ROOM
        while True:
            faces, count = (_structures.Face * room)(), ctypes.c_size_t()
            options = ctypes.byref(self._options)
            check(
                library().blan_detect_faces(
                    self.pointer, ctypes.byref(pixels.image), options, faces, room, ctypes.byref(count)
                )
            )
            if count.value <= room:
                return [face_of(face) for face in faces[: count.value]]
            room = count.value

    def align(self, photo: Photo, face: Face, *, color: Color = "rgb", maximum_pixels: int = 0) -> np.ndarray:
        """Warps a face that this detector found to CelebA's aligned frame, as `Model.predict` does.

        Unlike `blan.align_face` it knows where MTCNN puts its points, a pixel or so from where CelebA's are.

        Returns:
            218x178x3 of uint8, RGB, for `Model.predict` with `aligned=True`.
        """
        return align_detected(photo_pixels(photo, color, maximum_pixels), face)

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.path:
            raise TypeError("a detector loaded from bytes cannot be pickled; load it from a file")
        return _load_again, (os.path.abspath(self.path), *self._arguments)

    def __repr__(self) -> str:
        return f"<blan.Detector {self.path or 'memory'}: faces from {self._options.min_face:g} pixels>"


def faces_from_yunet(rows: np.ndarray | None) -> list[Face]:
    """The faces that OpenCV's `FaceDetectorYN.detect` found.

        _, rows = detector.detect(bgr)
        crops = [blan.align_face(bgr, face.landmarks, color="bgr") for face in blan.faces_from_yunet(rows)]
        faces = model.predict(crops, aligned=True)

    Args:
        rows: n x 15: x, y, width and height of the box, x and y of the right eye, the left eye, the nose, the right and
            the left corner of the mouth (right and left as the person sees it), score. None = no face.

    Raises:
        ShapeError: `rows` has another shape.
    """
    if rows is None:
        return []
    array = np.atleast_2d(np.asarray(rows, dtype=np.float32))
    if array.ndim != 2 or array.shape[1] != 15:
        raise ShapeError(f"rows of FaceDetectorYN have shape {np.shape(rows)}; expected (n, 15)")
    faces = []
    for row in array:
        x, y, width, height = (float(value) for value in row[:4])
        # A person's right eye is the one on the photo's left, so the order is that of align_face.
        landmarks = row[4:14].reshape(5, 2).copy()
        faces.append(Face((x, y, x + width, y + height), float(row[14]), landmarks))
    return faces


def photo_pixels(photo: Photo, color: Color, maximum_pixels: int) -> Pixels:
    """A photo as pixels in memory, decoded where it is encoded."""
    source = source_of(photo, color)
    if isinstance(source, Pixels):
        return source
    return pixels_of(read_image(photo, maximum_pixels=maximum_pixels), "rgb")


def align_detected(pixels: Pixels, face: Face) -> np.ndarray:
    """A face of MTCNN in CelebA's aligned frame, RGB."""
    found = face_struct(face)
    bitmap = ctypes.c_void_p()
    check(library().blan_align_detected(ctypes.byref(pixels.image), ctypes.byref(found), ctypes.byref(bitmap)))
    return take_bitmap(bitmap)


def face_struct(face: Face) -> _structures.Face:
    """The blan_face of a face."""
    landmarks = ((ctypes.c_float * 2) * 5)(*((ctypes.c_float * 2)(*point) for point in face.landmarks.tolist()))
    return _structures.Face(*face.box, face.score, landmarks)


def face_of(face: _structures.Face) -> Face:
    """The face that a blan_face holds, copied."""
    landmarks = np.array([list(point) for point in face.landmarks], dtype=np.float32)
    return Face((face.x0, face.y0, face.x1, face.y1), face.score, landmarks)


def _load_again(
    path: str, min_face: float, thresholds: tuple[float, ...], max_faces: int, factor: float, threads: int
) -> Detector:
    return Detector(path, min_face=min_face, thresholds=thresholds, max_faces=max_faces, factor=factor, threads=threads)
