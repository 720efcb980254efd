"""OpenCV, which decodes, follows points, draws and encodes: an optional package, loaded when it is needed."""

from __future__ import annotations

import functools
from typing import Any

from ..errors import UnsupportedError


@functools.cache
def opencv() -> Any:
    """The module `cv2`.

    Raises:
        UnsupportedError: it is not installed, or cannot be loaded.
    """
    try:
        import cv2
    except ImportError as error:
        raise UnsupportedError(f'video needs OpenCV ({error}): pip install "blan[opencv]"') from error
    return cv2
