"""What `Model.predict` accepts as a photo, and how it reaches the C library.

A photo is one of: a path (str or os.PathLike), the bytes of a JPEG or PNG file, a PIL image, or an array of uint8:
HxWx3, HxWx4 (alpha is ignored) or HxW. Arrays are RGB unless ``color="bgr"`` says otherwise.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Union

import numpy as np

from . import _structures
from ._arguments import path_bytes, within
from ._library import check, library
from .errors import FormatError, InvalidArgumentError, OutOfMemoryError, ShapeError

if TYPE_CHECKING:
    import PIL.Image

Color: TypeAlias = Literal["rgb", "bgr"]
Photo: TypeAlias = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, np.ndarray, "PIL.Image.Image"]

_FORMATS = {(3, "rgb"): 0, (3, "bgr"): 1, (4, "rgb"): 2, (4, "bgr"): 3, (1, "rgb"): 4, (1, "bgr"): 4}
"""blan_pixel_format by channels and colour order."""

_MAXIMUM_SIDE = 2**24
"""The library's limit, which it states for a batch as a whole: checked here, the others are still predicted."""


@dataclass(frozen=True)
class Pixels:
    """A photo as pixels in memory.

    Attributes:
        image: the blan_image that describes them.
        owner: the array that holds them; it must live as long as `image` is used.
    """

    image: _structures.Image
    owner: np.ndarray


Source: TypeAlias = bytes | Pixels | os.PathLike
"""A checked photo: encoded bytes, pixels, or a path (always as os.PathLike)."""


@dataclass(frozen=True)
class FilePath(os.PathLike):
    """A path, kept apart from encoded bytes."""

    path: str | bytes

    def __fspath__(self) -> str | bytes:
        return self.path


def source_of(photo: Photo, color: Color = "rgb") -> Source:
    """Checks a photo and brings it into the form that the C library reads, without a copy where that is possible.

    Raises:
        InvalidArgumentError: another type, another dtype than uint8, or an unknown colour order.
        ShapeError: an array of the wrong shape.
        FormatError: Pillow cannot read the file of its image.
    """
    if color not in ("rgb", "bgr"):
        raise InvalidArgumentError(f'color is {color!r}; expected "rgb" or "bgr"')
    if isinstance(photo, (str, os.PathLike)):
        return _checked_path(os.fspath(photo))
    if isinstance(photo, (bytes, bytearray, memoryview)):
        return bytes(photo)
    if hasattr(photo, "getexif") and hasattr(photo, "convert"):
        return pixels_of(_array_of_pil(photo), "rgb")
    if isinstance(photo, np.ndarray) or hasattr(photo, "__array__"):
        return pixels_of(np.asarray(photo), color)
    raise InvalidArgumentError(
        f"a photo is a {type(photo).__name__}; expected a path, the bytes of a JPEG or PNG file, a PIL image "
        "or a numpy array of uint8"
    )


def _checked_path(path: str | bytes) -> FilePath:
    path_bytes(path)
    return FilePath(path)


def _array_of_pil(image: Any) -> np.ndarray:
    """A PIL image upright and in RGB or grey, as the library reads the file that it came from."""
    from PIL import ImageOps

    # Older versions of Pillow open 16-bit grey PNG as 32-bit integers.
    is_sixteen_bits = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")
    try:
        upright = ImageOps.exif_transpose(image)
        if is_sixteen_bits:  # convert("RGB") would clip them at 255; the library's decoder keeps the high byte
            return (np.asarray(upright) >> 8).astype(np.uint8)
        return np.asarray(upright.convert("RGB"))
    except MemoryError as error:
        raise OutOfMemoryError(f"{_name_of_pil(image)}: no memory for its pixels") from error
    except Exception as error:  # a damaged file may be met as OSError, SyntaxError, ValueError, ...
        raise FormatError(f"{_name_of_pil(image)}: Pillow cannot read it: {error}") from error


def _name_of_pil(image: Any) -> str:
    """The file that a PIL image was opened from, if it knows."""
    return os.fsdecode(getattr(image, "filename", "") or "a PIL image")


def pixels_of(array: np.ndarray, color: Color) -> Pixels:
    """Describes an array of uint8 (HxW, HxWx1, HxWx3 or HxWx4) as a blan_image.

    Rows may be any distance apart, in either direction, and channels may run backwards (``bgr[..., ::-1]``): such
    views are not copied. Anything else that is not packed within a row is.
    """
    _check_array(array)
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.shape[2] == 3 and array.strides[2] == -1:
        array, color = array[:, :, ::-1], "rgb" if color == "bgr" else "bgr"
    height, width, channels = array.shape
    row = width * channels
    in_row = (channels == 1 or array.strides[2] == 1) and (width == 1 or array.strides[1] == channels)
    rows_apart = height == 1 or abs(array.strides[0]) >= row
    if not (in_row and rows_apart):
        array = np.ascontiguousarray(array)
    return Pixels(
        _structures.Image(
            data=ctypes.cast(array.ctypes.data, ctypes.POINTER(ctypes.c_uint8)),
            width=width,
            height=height,
            row_stride=array.strides[0] if height > 1 else 0,
            format=_FORMATS[channels, color],
        ),
        array,
    )


def _check_array(array: np.ndarray) -> None:
    if array.dtype != np.uint8:
        remedy = ""
        if array.dtype.kind == "f":
            remedy = "; where 1.0 is white, pass (array * 255).round().astype(numpy.uint8)"
        raise InvalidArgumentError(f"a photo's array has dtype {array.dtype}; expected uint8, 0 to 255{remedy}")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        remedy = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            remedy = "; channels come last: pass array.transpose(1, 2, 0)"
        raise ShapeError(f"a photo's array has shape {array.shape}; expected HxW, HxWx3 or HxWx4{remedy}")
    if not all(0 < side <= _MAXIMUM_SIDE for side in array.shape[:2]):
        raise ShapeError(f"a photo's array has shape {array.shape}; expected sides from 1 to {_MAXIMUM_SIDE}")


def read_image(photo: Photo, *, color: Color = "rgb", maximum_pixels: int = 0) -> np.ndarray:
    """Reads a photo as `Model.predict` does: upright, RGB.

    Args:
        photo: a path, bytes, a PIL image or an array.
        color: order of an array's channels.
        maximum_pixels: a larger file is refused before it is decoded; 0 = 178,956,970.

    Returns:
        HxWx3 of uint8, a copy.

    Raises:
        BlanError: the photo cannot be read; the class says why.
    """
    within("maximum_pixels", maximum_pixels, 0, 2**64 - 1)
    source = source_of(photo, color)
    if isinstance(source, Pixels):
        return _rgb_of(source)
    options = _structures.DecodeOptions(ctypes.sizeof(_structures.DecodeOptions), maximum_pixels)
    bitmap = ctypes.c_void_p()
    if isinstance(source, bytes):
        check(library().blan_bitmap_decode(source, len(source), ctypes.byref(options), ctypes.byref(bitmap)))
    else:
        check(library().blan_bitmap_load(os.fsencode(source), ctypes.byref(options), ctypes.byref(bitmap)))
    return take_bitmap(bitmap)


def _rgb_of(pixels: Pixels) -> np.ndarray:
    array = pixels.owner
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    array = array[:, :, :3]
    return np.ascontiguousarray(array if pixels.image.format in (0, 2) else array[:, :, ::-1]).copy()


def take_bitmap(bitmap: ctypes.c_void_p) -> np.ndarray:
    """Copies a blan_bitmap to an array, HxWx3 of uint8, and frees it."""
    try:
        image = library().blan_bitmap_image(bitmap)
        stride = image.row_stride or image.width * 3
        rows = np.ctypeslib.as_array(image.data, shape=(image.height, stride))
        return rows[:, : image.width * 3].reshape(image.height, image.width, 3).copy()
    finally:
        library().blan_bitmap_free(bitmap)
