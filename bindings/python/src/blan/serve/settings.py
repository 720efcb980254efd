"""What a server allows and how it works."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidArgumentError

CROP_PIXELS = 4_000_000
"""Pixels of an aligned crop, at most: crops wait for their batch decoded."""


@dataclass(frozen=True)
class Settings:
    """Limits and tuning of a server; every limit holds for one process.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 = a free one.
        token: what clients must send as bearer token; "" = nothing is asked for.
        proxy: addresses of reverse proxies whose X-Forwarded-For tells the client, separated by commas; "" = none.
        max_batch: faces in one call of the network, from 1.
        max_wait_ms: how long a face waits for others that are on their way, in milliseconds.
        max_queue: photos that may be read, wait or be worked on at a time; what comes beyond is refused (503).
        max_bytes: size of a request's body.
        max_pixels: width x height of a photo; a larger one is refused before it is decoded.
        max_photos: photos in a request.
        max_faces: faces of a photo that are predicted, the largest first.
        min_face: side of the smallest face that is looked for, in pixels, from 12.
        rate: predictions a second that a client address may ask for in the long run; 0 = any number.
        burst: how many it may ask for at once.
        timeout: seconds that an upload may take, and then its answer.
        access_log: print a line a request; addresses and paths, never content.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str = ""
    proxy: str = ""
    max_batch: int = 32
    max_wait_ms: float = 5
    max_queue: int = 64
    max_bytes: int = 20 * 2**20
    max_pixels: int = 25_000_000
    max_photos: int = 16
    max_faces: int = 32
    min_face: float = 20
    rate: float = 100
    burst: int = 200
    timeout: float = 30
    access_log: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (
            ("port", 0, 65_535),
            ("max_batch", 1, 1024),
            ("max_wait_ms", 0, 10_000),
            ("max_queue", 1, 100_000),
            ("max_bytes", 1, 2**32),
            ("max_pixels", 1, 2**32),
            ("max_photos", 1, 100_000),
            ("max_faces", 1, 10_000),
            ("min_face", 12, 32_768),
            ("rate", 0, 1_000_000),
            ("burst", 1, 1_000_000),
            ("timeout", 0.01, 3600),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidArgumentError(f"{name} is {value}; expected {low} to {high}")
        if self.max_photos > self.max_queue:
            raise InvalidArgumentError(
                f"max_photos is {self.max_photos} and max_queue {self.max_queue}: such a request would never fit"
            )
        if not self.token.isascii() or any(character <= " " for character in self.token):
            raise InvalidArgumentError("the token holds a space or a character beyond ASCII, which no header carries")
