"""From the photos of a request to their answers: decode, find faces, align, predict in batches with other requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..detection import Detector, Face, align_detected
from ..errors import BlanError, InvalidArgumentError
from ..images import pixels_of, read_image
from ..model import Model
from ..prediction import Prediction
from .answers import face_answer
from .batching import Batcher
from .metrics import Metrics
from .settings import CROP_PIXELS, Settings
from .uploads import Upload


@dataclass(frozen=True)
class Wanted:
    """What a request asks of its photos.

    Attributes:
        aligned: they are aligned crops: no face is looked for.
        attention: also give the aligned faces and their attention maps as pictures.
        max_faces: only the largest so many of a photo.
    """

    aligned: bool
    attention: bool
    max_faces: int


@dataclass(frozen=True)
class _Job:
    """A face on its way to the network."""

    pixels: np.ndarray
    attention: bool


@dataclass(frozen=True)
class _Photo:
    """A decoded photo's size and the faces in it, each with its aligned pixels."""

    width: int
    height: int
    found: int
    faces: list[tuple[Face | None, np.ndarray]]


class Pipeline:
    """Works on the photos of any number of requests at a time.

    Photos are decoded and searched by as many threads as the model has, one photo each; the network runs in one further
    thread, on the model's threads. All methods belong to the event loop's thread.
    """

    def __init__(self, model: Model, settings: Settings) -> None:
        self.metrics: Metrics | None = None
        self._model, self._settings = model, settings
        self._detector = Detector(min_face=settings.min_face, threads=1)
        self._readers = ThreadPoolExecutor(model.threads, thread_name_prefix="blan-photo")
        self._network = ThreadPoolExecutor(1, thread_name_prefix="blan-network")
        self._reading = 0
        self._batcher: Batcher[_Job, Prediction] = Batcher(
            self._predict,
            self._network,
            max_batch=settings.max_batch,
            max_wait=settings.max_wait_ms / 1000,
            expecting=lambda: self._reading > 0,
        )

    @property
    def waiting(self) -> int:
        """Faces that wait for a batch."""
        return self._batcher.waiting

    async def start(self) -> None:
        """Begins to work; the network has run once when this returns, so that the first request is no slower."""
        self._batcher.start()
        side = self._model.input_size
        await self._batcher.submit([_Job(np.zeros((side, side, 3), dtype=np.uint8), False)])

    async def stop(self) -> None:
        """Stops, after the calls of the library that are running."""
        await self._batcher.stop()
        self._readers.shutdown(cancel_futures=True)
        self._network.shutdown()

    async def answer(self, uploads: Sequence[Upload], wanted: Wanted) -> list[dict[str, Any] | BlanError]:
        """The answer for each photo, or why there is none, in the order of the photos.

        Raises:
            BlanError: the network failed.
        """
        return await _all([self._answer(upload, index, len(uploads), wanted) for index, upload in enumerate(uploads)])

    async def _answer(self, upload: Upload, index: int, count: int, wanted: Wanted) -> dict[str, Any] | BlanError:
        loop = asyncio.get_running_loop()
        self._reading += 1
        try:
            photo = await loop.run_in_executor(self._readers, self._read, upload, wanted)
        except BlanError as error:
            return type(error)(f"{_place(upload, index, count)}{error}")
        finally:
            self._reading -= 1
        jobs = [_Job(pixels, wanted.attention) for _, pixels in photo.faces]
        predictions = await self._batcher.submit(jobs)
        answer: dict[str, Any] = {"name": upload.name, "width": photo.width, "height": photo.height}
        if not wanted.aligned:
            answer["found"] = photo.found
        answer["faces"] = await loop.run_in_executor(self._readers, _faces, photo, predictions, wanted.attention)
        return answer

    def _read(self, upload: Upload, wanted: Wanted) -> _Photo:
        """Decodes a photo, finds its faces and aligns them; runs in a reader's thread."""
        started = time.perf_counter()
        most = self._settings.max_pixels
        pixels = read_image(upload.content, maximum_pixels=min(most, CROP_PIXELS) if wanted.aligned else most)
        height, width = pixels.shape[:2]
        if wanted.aligned:
            photo = _Photo(width, height, 0, [(None, pixels)])
        else:
            found = self._detector.detect(pixels)
            image = pixels_of(pixels, "rgb")
            most = min(wanted.max_faces, self._settings.max_faces)
            photo = _Photo(width, height, len(found), [(face, align_detected(image, face)) for face in found[:most]])
        if self.metrics is not None:
            self.metrics.photo_seconds.observe(time.perf_counter() - started)
        return photo

    def _predict(self, jobs: Sequence[_Job]) -> list[Prediction]:
        """One call of the network; runs in its thread."""
        started = time.perf_counter()
        attention = any(job.attention for job in jobs)
        predictions = self._model.predict([job.pixels for job in jobs], aligned=True, attention=attention)
        if self.metrics is not None:
            self.metrics.batches.observe(len(jobs))
            self.metrics.batch_seconds.observe(time.perf_counter() - started)
        return predictions  # type: ignore[return-value]


def refused_for_its_pixels(error: BlanError) -> bool:
    """Whether a photo was refused for its size: nothing else about an encoded photo is an argument."""
    return isinstance(error, InvalidArgumentError)


def _place(upload: Upload, index: int, count: int) -> str:
    """Which photo an error is about, to stand before it."""
    name = f" ({upload.name})" if upload.name else ""
    if count > 1:
        return f"photo {index + 1} of {count}{name}: "
    return f"{upload.name}: " if upload.name else ""


def _faces(photo: _Photo, predictions: Sequence[Prediction], attention: bool) -> list[dict[str, Any]]:
    return [
        face_answer(prediction, face, crop if attention else None)
        for prediction, (face, crop) in zip(predictions, photo.faces, strict=True)
    ]


async def _all(coroutines: list[Any]) -> list[Any]:
    """Their results in order; where one fails or the caller is cancelled, the others are cancelled too."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
