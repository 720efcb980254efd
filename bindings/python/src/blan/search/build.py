"""Making an index of a folder of photos."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from .._folders import photos_below
from .._library import library
from .._loading import checked_threads
from ..bundled import default_model_path
from ..detection import Detector
from ..errors import BlanError, CancelledError, FileError, InvalidArgumentError
from ..model import Model, load
from ..prediction import Prediction
from .parts import Work
from .rows import PhotoFile
from .schema import Description

OnProgress: TypeAlias = Callable[[int, int], "bool | None"]
OnUnreadable: TypeAlias = Callable[[str, BlanError], None]


@dataclass(frozen=True)
class Indexed:
    """What `index` did.

    Attributes:
        path: the index.
        photos: photos in it.
        read: how many of them were read now, because they were new, changed, or could not be read before.
        faces: faces found in those.
        unreadable: how many of those could not be read.
        removed: photos of the former index that are there no more.
    """

    path: str
    photos: int
    read: int
    faces: int
    unreadable: int
    removed: int


def index(
    folder: str | os.PathLike[str],
    path: str | os.PathLike[str] = "index.parquet",
    *,
    model: str | os.PathLike[str] | Model | None = None,
    aligned: bool = False,
    min_face: float = 20,
    max_faces: int = 0,
    threads: int = 0,
    maximum_pixels: int = 0,
    on_progress: OnProgress | None = None,
    on_unreadable: OnUnreadable | None = None,
) -> Indexed:
    """Finds and predicts every face in every JPEG and PNG file below a folder and writes them to a Parquet file.

    A photo that the file has already, of the same size and time of change, is not read again; photos that are gone are
    left out. A run that is broken off loses half a minute at most: the next one goes on where it was. Memory holds the
    paths of all photos, but the faces of some hundreds only. docs/search.md tells the columns.

    Args:
        folder: where to look, to the bottom; hidden files and folders are passed over.
        path: the index. It appears, or changes, whole or not at all, at the end.
        model: a model file; None = the bundled model.
        aligned: the photos are crops framed like CelebA's: no face is looked for.
        min_face: side of the smallest face that is looked for, in pixels, from 12.
        max_faces: only the largest so many of a photo; 0 = all.
        threads: photos that are worked on at the same time; 0 = as many as this process may use cores.
        maximum_pixels: a larger photo is refused before it is decoded; 0 = 178,956,970.
        on_progress: called with the number of photos read and of those to read; False stops.
        on_unreadable: told of each photo that cannot be read, with its path; it gets a row with its error.

    Raises:
        UnsupportedError: pyarrow is not installed.
        InvalidArgumentError: `path` is an index of another folder, or in use by another process; a number out of range.
        FormatError: `path` is there, but no index.
        FileError: no such folder, or the index cannot be written.
        CancelledError: `on_progress` returned False; a further call goes on from there.
    """
    root = os.path.realpath(folder)
    if not os.path.isdir(root):
        raise FileError(f"cannot read {os.fspath(folder)}: no such folder")
    if isinstance(model, Model):
        if not model.path:
            raise InvalidArgumentError("the model was loaded from bytes; an index needs one from a file")
        model = model.path
    workers = checked_threads(threads) or library().blan_default_threads()
    with load(model, threads=1) as network:
        detector = None if aligned else Detector(min_face=min_face, max_faces=max_faces, threads=1)
        description = description_of(root, network, detector, min_face, max_faces, maximum_pixels)
        with Work(path, description) as work:
            photos = list(_photos(root))
            waiting = [photo for photo in photos if not work.has(photo)]
            read = faces = unreadable = 0

            def predict(photo: PhotoFile) -> list[Prediction]:
                whole = os.path.join(root, photo.path)
                options = {"embeddings": True, "on_error": "keep", "maximum_pixels": maximum_pixels}
                if aligned:
                    return [network.predict(whole, aligned=True, **options)]
                return network.predict(whole, detector=detector, **options)

            for photo, predictions in _in_order(predict, waiting, workers):
                work.add(photo, predictions)
                read += 1
                error = predictions[0].error if predictions else None
                if error is not None:
                    unreadable += 1
                    if on_unreadable is not None:
                        on_unreadable(os.path.join(root, photo.path), error)
                else:
                    faces += len(predictions)
                if on_progress is not None and on_progress(read, len(waiting)) is False:
                    raise CancelledError(f"stopped after {read} of {len(waiting)} photos")
            work.finish(photos)
            removed = len(work.before - {photo.key for photo in photos})
    return Indexed(os.fspath(path), len(photos), read, faces, unreadable, removed)


def file_hash(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise FileError(f"cannot read {os.fspath(path)}: {error.strerror}") from error
    return digest.hexdigest()


def description_of(
    root: str, network: Model, detector: Detector | None, min_face: float, max_faces: int, maximum_pixels: int
) -> Description:
    """What rows of these tools are made with."""
    levels, length = 4, network._layout.embedding
    return Description(
        root=root,
        attributes=network.names,
        thresholds=tuple(network.thresholds.tolist()),
        trained=network.trained,
        embedding=levels * length,
        model="" if network.path == default_model_path() else os.path.abspath(network.path),
        model_hash=file_hash(network.path),
        aligned=detector is None,
        detector_hash="" if detector is None else file_hash(detector.path),
        min_face=0 if detector is None else min_face,
        max_faces=0 if detector is None else max_faces,
        maximum_pixels=maximum_pixels,
    )


def _photos(root: str) -> Iterator[PhotoFile]:
    for path in photos_below(root):
        try:
            status = os.stat(path)
        except OSError:
            yield PhotoFile(os.path.relpath(path, root), 0, 0)  # reading it will tell why
            continue
        yield PhotoFile(os.path.relpath(path, root), status.st_size, status.st_mtime_ns)


def _in_order(
    predict: Callable[[PhotoFile], list[Prediction]], photos: list[PhotoFile], workers: int
) -> Iterator[tuple[PhotoFile, list[Prediction]]]:
    """Predicts several photos at once, a few ahead of what is taken; results come in the order of the photos."""
    remaining = iter(photos)
    with ThreadPoolExecutor(workers, thread_name_prefix="blan-index") as pool:
        ahead: deque[tuple[PhotoFile, Future[list[Prediction]]]] = deque()
        try:
            ahead.extend((photo, pool.submit(predict, photo)) for photo in islice(remaining, 4 * workers))
            while ahead:
                photo, future = ahead.popleft()
                yield photo, future.result()
                ahead.extend((photo, pool.submit(predict, photo)) for photo in islice(remaining, 1))
        finally:
            pool.shutdown(cancel_futures=True)
