"""A loaded model and its predictions."""

from __future__ import annotations

import ctypes
import json
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from . import _batch, profiling
from ._library import check, library
from ._loading import Handle, stamp_of
from ._predicting import OnError, Run, is_single
from .bundled import default_model_path
from .detection import Detector
from .errors import FileError, InvalidArgumentError
from .images import Color, Photo, Pixels, pixels_of, read_image, source_of
from .precision import Precision, name_of
from .prediction import Prediction
from .profiling import Cost, Step

if TYPE_CHECKING:
    from .evaluation import Evaluation
    from .evaluation.running import Data, OnProgress, OnUnreadable
    from .explanation import Explainer, Explanation
    from .explanation.names import Score
    from .explanation.running import Fill, Method
    from .exporting.onnx_file import Output


def load(
    model: str | os.PathLike[str] | bytes | None = None,
    *,
    threads: int = 0,
    precision: Precision | None = None,
) -> Model:
    """Loads a model.

    Args:
        model: a safetensors file, or the bytes of one; None = the model that comes with the package.
        threads: threads a call works on, 1 to 1024; 0 = all cores this process may use (affinity, cgroup quota and
            OMP_NUM_THREADS respected). Give 1 in each of several worker processes.
        precision: what convolutions and fully connected layers compute with: "f32", "bf16" or "int8"; None = what the
            model file asks for, which is "f32" unless `quantize` wrote it. "int8" needs a model that was calibrated.

    Raises:
        FileError: the file cannot be read.
        FormatError, ShapeError: it is damaged or not a BLAN model.
        UnsupportedError: "int8" of a model that was not calibrated.
        BlanError: anything else; the class says what.
    """
    return Model(default_model_path() if model is None else model, threads=threads, precision=precision)


class Model:
    """A network with its weights, ready to predict.

    A model never changes: any number of threads may predict with one at the same time. It frees its memory when it is
    closed (``with`` does that) or collected, after the last running call.

    A model that was loaded from a file can be pickled: it travels as its path and is loaded again at the other end.
    Worker processes are best started with `spawn` or `forkserver`, each loading the model with ``threads=1``: a `fork`
    copies a process in the middle of what its other threads do.

    Attributes:
        path: the file that it was loaded from; "" for bytes.
        names: the N attributes in the order of all outputs.
        thresholds: N floats: the probability from which an attribute counts as present, as stored in the model.
        input_size: S, height and width of the network's input in pixels.
        trained: False when the weights are random; the outputs then mean nothing.
        threads: threads that a call works on.
        precision: what it computes with: "f32", "bf16" or "int8".
        config: the configuration stored in the file.
    """

    def __init__(
        self, model: str | os.PathLike[str] | bytes, *, threads: int = 0, precision: Precision | None = None
    ) -> None:
        self.path = "" if isinstance(model, bytes) else os.fspath(model)
        self._stamp = stamp_of(self.path)
        self._handle: Handle | None = Handle(model, threads, precision)
        call, out = library(), self._handle.pointer
        count = call.blan_model_attribute_count(out)
        self.names = tuple(call.blan_model_attribute_name(out, i).decode() for i in range(count))
        self.thresholds = np.array([call.blan_model_threshold(out, i) for i in range(count)], dtype=np.float32)
        self.thresholds.flags.writeable = False
        self.input_size: int = call.blan_model_input_size(out)
        self.trained: bool = call.blan_model_is_trained(out)
        self.threads: int = call.blan_model_threads(out)
        self.precision: Precision = name_of(call.blan_model_precision(out))
        self.config: dict[str, Any] = json.loads(call.blan_model_config(out))
        maps = (call.blan_model_attention_size(out, i) for i in range(call.blan_model_attention_count(out)))
        self._layout = _batch.Layout(count, call.blan_model_embedding_size(out), tuple(maps))
        self._asked = (threads, precision)
        self._detector: Detector | None = None
        self._explainer: Explainer | None = None
        self._lock = threading.Lock()

    @overload
    def predict(self, photos: Photo, *, aligned: Literal[False] = False, **options: Any) -> list[Prediction]: ...

    @overload
    def predict(
        self, photos: Iterable[Photo], *, aligned: Literal[False] = False, **options: Any
    ) -> list[list[Prediction]]: ...

    @overload
    def predict(self, photos: Photo, *, aligned: Literal[True], **options: Any) -> Prediction: ...

    @overload
    def predict(self, photos: Iterable[Photo], *, aligned: Literal[True], **options: Any) -> list[Prediction]: ...

    def predict(
        self,
        photos: Photo | Iterable[Photo],
        *,
        aligned: bool = False,
        detector: Detector | None = None,
        color: Color = "rgb",
        threshold: float | None = None,
        scores: bool = False,
        logits: bool = False,
        embeddings: bool = False,
        attention: bool = False,
        on_error: OnError = "raise",
        maximum_pixels: int = 0,
    ) -> Prediction | list[Prediction] | list[list[Prediction]]:
        """Predicts the attributes of every face in one photo or in many.

        Faces are found and aligned first. Photos that are face crops framed like CelebA's aligned images already (see
        `align_face`) are taken as they are with `aligned=True`; they may have any size. Other threads run meanwhile.

        Args:
            photos: one photo (a path, the bytes of a JPEG or PNG, a PIL image, an array of uint8: HxWx3, HxWx4 or
                HxW), or an iterable of them, kinds mixed as you like, or an array NxHxWxC.
            aligned: the photos are aligned crops: no face is looked for.
            detector: what finds the faces; None = the bundled detector with its defaults, on the model's threads.
            color: order of the channels of arrays, "rgb" or "bgr" (OpenCV's).
            threshold: the probability from which an attribute counts as present, instead of the model's own.
            scores: also return each classifier's scores; see `Prediction` for this and the next three.
            logits: also return the decision before its softmax.
            embeddings: also return T_1..T_4.
            attention: also return the spatial attention maps.
            on_error: "raise" the error of the first photo that cannot be read, or "keep" it in the `Prediction.error`
                of its only prediction and predict the others.
            maximum_pixels: a larger file is refused before it is decoded; 0 = 178,956,970.

        Returns:
            For one photo the list of its faces, the largest first, each with its `Prediction.face`; it is empty where
            there is no face. For many photos a list of such lists in their order. With `aligned=True` a single
            Prediction stands in place of each list.

        Raises:
            BlanError: with `on_error="raise"`, a photo cannot be read; the class says why.
        """
        wanted = _batch.Wanted(scores, logits, embeddings, attention)
        if aligned and detector is not None:
            raise InvalidArgumentError("aligned crops are not looked at by a detector: give one or the other")
        single = is_single(photos)
        thresholds = self._checked_thresholds(threshold)
        run = Run(self.names, self.trained, self._layout, thresholds, color, wanted, on_error, maximum_pixels)
        chosen = [photos] if single else list(photos)  # type: ignore[list-item, arg-type]
        finder = None if aligned else detector or self._bundled_detector()
        handle = self._open()
        found = run.searched(handle.pointer, chosen, finder) if finder else run.aligned(handle.pointer, chosen)
        return found[0] if single else found

    def stream(
        self, photos: Iterable[Photo], *, batch: int = 32, **options: Any
    ) -> Iterator[list[Prediction]] | Iterator[Prediction]:
        """Predicts photos in turn, `batch` at a time: for more photos than should be in memory at once.

        Args:
            photos: as in `predict`; the iterable is read as the predictions are taken.
            batch: photos in one call, from 1.
            **options: those of `predict`.

        Yields:
            For each photo the list of its faces, or its Prediction with `aligned=True`.
        """
        if batch < 1:
            raise InvalidArgumentError(f"batch is {batch}; expected 1 or more")
        remaining = iter(photos)
        while chunk := list(islice(remaining, batch)):
            yield from self.predict(chunk, **options)

    def preprocess(self, photo: Photo, *, color: Color = "rgb") -> np.ndarray:
        """Resizes and normalises one photo: 3xSxS floats, what `predict_tensor` reads."""
        source = source_of(photo, color)
        pixels = source if isinstance(source, Pixels) else pixels_of(read_image(photo), "rgb")
        out = np.empty((3, self.input_size, self.input_size), dtype=np.float32)
        handle = self._open()
        check(library().blan_preprocess(handle.pointer, ctypes.byref(pixels.image), _batch.floats(out)))
        return out

    def predict_tensor(self, pixels: np.ndarray) -> np.ndarray:
        """Predicts from prepared pixels.

        Args:
            pixels: Bx3xSxS floats, R then G then B, normalised with `config["mean"]` and `config["std"]`.

        Returns:
            BxN probabilities.

        Raises:
            ShapeError: `pixels` has another shape.
            InvalidArgumentError: `pixels` holds integers, which are not normalised.
        """
        array = _batch.prepared(pixels, self.input_size)
        out = np.empty((len(array), len(self.names)), dtype=np.float32)
        handle = self._open()
        check(library().blan_predict_tensor(handle.pointer, _batch.floats(array), len(array), None, _batch.floats(out)))
        return out

    def evaluate(
        self,
        data: Data,
        *,
        groups: str | Sequence[str | tuple[str, str]] = (),
        training: Data | None = None,
        resamples: int = 1000,
        seed: int = 0,
        batch: int = 64,
        on_unreadable: OnUnreadable = "raise",
        on_progress: OnProgress | None = None,
    ) -> Evaluation:
        """Measures the model on labelled images, with its own thresholds.

        Attributes are matched by name; one that the data lack has unknown labels, and unknown labels are left out.

        Args:
            data: a `Dataset`, or the path of one.
            groups: what rates are given by: names of attributes or of the data's group columns; a pair of names
                (a tuple, or "Male,Young") for both together.
            training: data whose labels give the majority baseline of training.
            resamples: of the bootstrap behind the groups' 95 % intervals; 0 = no intervals.
            seed: of the bootstrap.
            batch: images between two calls of `on_progress`.
            on_unreadable: "raise" the error of the first image that cannot be read, or "skip" such images.
            on_progress: called with images done and images in all; False stops.

        Raises:
            InvalidArgumentError: data without any attribute of the model, or a group that they lack.
            CancelledError: `on_progress` returned False.
            BlanError: with `on_unreadable="raise"`, an image cannot be read; the class says why.
        """
        from .evaluation.evaluate import evaluate

        handle = self._open()
        return evaluate(
            handle.pointer,
            data,
            groups,
            training,
            resamples,
            seed,
            batch,
            on_unreadable,
            on_progress,
            model=self.path,
            trained=self.trained,
        )

    def explain(
        self,
        photo: Photo,
        attributes: str | Iterable[str],
        *,
        method: Method = "gradcam",
        scores: Score | Iterable[Score] = "decision",
        aligned: bool = False,
        detector: Detector | None = None,
        explainer: Explainer | None = None,
        color: Color = "rgb",
        maximum_pixels: int = 0,
        patch: int = 0,
        stride: int = 0,
        fill: Fill = "model",
        on_progress: OnProgress | None = None,
    ) -> Explanation | list[Explanation]:
        """Maps of what the scores of some attributes rest on, for every face in one photo.

        Args:
            photo: as in `predict`.
            attributes: one name or several.
            method: "gradcam" (Selvaraju et al. 2017) at the four levels of the network, or "occlusion": how much the
                score falls when a patch covers a place. docs/explaining.md tells what they mean and what they do not.
            scores: what is explained: "decision" (z of the paper's Eq. 6), 1 to 4 for the score of one classifier,
                "sum" for the sum of the four; or several of these.
            aligned: the photo is one aligned crop: no face is looked for.
            detector: what finds the faces; None = the bundled detector with its defaults.
            explainer: the model's weights in the form that has gradients, for a model that was loaded from bytes;
                None = made from the model's file at the first call that needs it, and kept.
            color: order of an array's channels.
            maximum_pixels: a larger file is refused before it is decoded; 0 = 178,956,970.
            patch: of occlusion: side of the patch in pixels of the network's input; 0 = an eighth of the input.
            stride: of occlusion: from one place to the next, 1 to `patch`; 0 = half of it.
            fill: of occlusion: what the patch is filled with: "model" (the mean colour that the input is normalised
                by), "image" (the face's own mean), or R, G and B from 0 to 1.
            on_progress: called with steps done and steps in all; False stops. Ctrl-C stops too.

        Returns:
            A list of the faces' explanations, the largest face first; it is empty where there is no face. With
            `aligned=True` a single Explanation.

        Raises:
            InvalidArgumentError: an attribute that the model does not have (near names are listed), a score, patch or
                stride out of range.
            FileError: the model's file has changed or gone since it was loaded.
            CancelledError: `on_progress` returned False.
            BlanError: the photo cannot be read; the class says why.
        """
        from .explanation.explaining import explain

        if aligned and detector is not None:
            raise InvalidArgumentError("aligned crops are not looked at by a detector: give one or the other")
        handle = self._open()
        found = explain(
            handle.pointer,
            self.names,
            self.input_size,
            self.trained,
            photo,
            attributes,
            method=method,
            scores=scores,
            detector=None if aligned else detector or self._bundled_detector(),
            explainer=lambda: explainer or self._own_explainer(),
            color=color,
            maximum_pixels=maximum_pixels,
            patch=patch,
            stride=stride,
            fill=fill,
            on_progress=on_progress,
        )
        return found[0] if aligned else found

    def export_onnx(
        self,
        path: str | os.PathLike[str],
        *,
        preprocessing: bool = False,
        outputs: Sequence[Output] = (),
        license: str | None = None,
    ) -> None:
        """Writes the model as ONNX, read again from its file; `blan.export_onnx` explains the arguments and errors.

        Raises:
            InvalidArgumentError: also for a model that was loaded from bytes.
        """
        from .exporting import export_onnx

        if not self.path:
            raise InvalidArgumentError("a model loaded from bytes cannot be exported; load it from a file")
        export_onnx(self.path, path, preprocessing=preprocessing, outputs=outputs, license=license)

    def costs(self) -> list[Cost]:
        """Parameters and multiply-accumulates of each module that prediction uses."""
        handle = self._open()
        return profiling.costs(handle.pointer)

    def profile(self, *, batch: int = 1, repeats: int = 20) -> list[Step]:
        """Times every step of a prediction.

        Args:
            batch: images at a time, 1 to 8.
            repeats: timed predictions, of which each step's median is given.

        Returns:
            The steps in the order in which they run.
        """
        if repeats < 1:
            raise InvalidArgumentError(f"repeats is {repeats}; expected 1 or more")
        handle = self._open()
        return profiling.profile(handle.pointer, self.input_size, batch, repeats)

    def close(self) -> None:
        """Frees the model once no call uses it any more. Further calls raise InvalidArgumentError."""
        self._handle = self._explainer = None

    def _bundled_detector(self) -> Detector:
        """The detector that comes with the package, loaded at the first photo that needs it."""
        with self._lock:
            if self._detector is None:
                self._detector = Detector(threads=self.threads)
            return self._detector

    def _own_explainer(self) -> Explainer:
        """The explainer of the model's file, made at the first call that needs it."""
        from .explanation import Explainer

        with self._lock:
            if self._explainer is None:
                if not self.path:
                    raise InvalidArgumentError(
                        "a model loaded from bytes keeps no gradients: pass explainer=blan.Explainer(bytes)"
                    )
                if stamp_of(self.path) != self._stamp:
                    raise FileError(f"{self.path} has changed since the model was loaded: load it again to explain it")
                self._explainer = Explainer(self.path, threads=self.threads)
            return self._explainer

    def _open(self) -> Handle:
        """The handle, which stays valid for as long as the caller refers to it."""
        handle = self._handle
        if handle is None:
            raise InvalidArgumentError("the model is closed")
        return handle

    def _checked_thresholds(self, threshold: float | None) -> np.ndarray:
        if threshold is None:
            return self.thresholds
        if not 0 <= threshold <= 1:
            raise InvalidArgumentError(f"threshold is {threshold}; expected 0 to 1")
        return np.full(len(self.names), threshold, dtype=np.float32)

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.path:
            raise TypeError("a model loaded from bytes cannot be pickled; load it from a file")
        return _load_again, (os.path.abspath(self.path), *self._asked)

    def __repr__(self) -> str:
        state = "" if self.trained else ", UNTRAINED"
        name = self.path or "memory"
        return f"<blan.Model {name}: {len(self.names)} attributes, {self.input_size}x{self.input_size}{state}>"


def _load_again(path: str, threads: int, precision: Precision | None) -> Model:
    return load(path, threads=threads, precision=precision)
