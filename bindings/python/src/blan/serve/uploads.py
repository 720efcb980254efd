"""The photos of a request, read into memory within limits. Nothing is written to disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from .refusals import Refusal

_NAME = 255
"""Characters of a file's name that are kept."""

RAW_TYPES = ("image/", "application/octet-stream")
"""Beginnings of the content types of a body that is one photo itself."""


@dataclass
class Upload:
    """One photo as it came.

    Attributes:
        name: of the file, or "".
        content: the encoded photo.
    """

    name: str
    content: bytes


@dataclass
class _Part:
    headers: dict[bytes, bytes] = field(default_factory=dict)
    content: bytearray = field(default_factory=bytearray)


async def read(
    content_type: str,
    content_length: str | None,
    body: AsyncIterator[bytes],
    max_bytes: int,
    max_photos: int,
    timeout: float,
) -> list[Upload]:
    """Reads the photos of a request.

    Args:
        content_type: the header; multipart/form-data with files in any fields, or image/* or
            application/octet-stream for a body that is one photo.
        content_length: the header, if any.
        body: pieces of the body as they arrive.
        max_bytes: of the body.
        max_photos: in the request.
        timeout: seconds that reading may take.

    Raises:
        Refusal: too many bytes or photos (413), too slow (408), no photo or a damaged form (400), or a content type
            that holds no photo (415).
    """
    if content_length is not None and content_length.isdigit() and int(content_length) > max_bytes:
        raise _too_large(max_bytes)
    kind, options = parse_options_header(content_type)
    limited = _limited(body, max_bytes)
    try:
        return await asyncio.wait_for(_photos(kind.decode("latin-1"), options, limited, max_photos), timeout)
    except asyncio.TimeoutError:
        raise Refusal(408, "upload_timeout", f"the upload took more than {timeout:g} seconds") from None


async def _photos(kind: str, options: dict[bytes, bytes], body: AsyncIterator[bytes], max_photos: int) -> list[Upload]:
    if kind == "multipart/form-data" and b"boundary" in options:
        uploads = await _files(options[b"boundary"], body, max_photos)
    elif kind.startswith(RAW_TYPES):
        content = b"".join([piece async for piece in body])
        uploads = [Upload("", content)] if content else []
    else:
        raise Refusal(
            415,
            "content_type",
            f'the content type is "{kind[:100]}"; expected multipart/form-data, or image/* for a photo',
        )
    if not uploads:
        raise Refusal(400, "no_photo", "the request holds no photo")
    return uploads


async def _limited(body: AsyncIterator[bytes], max_bytes: int) -> AsyncIterator[bytes]:
    read = 0
    async for piece in body:
        read += len(piece)
        if read > max_bytes:
            raise _too_large(max_bytes)
        yield piece


def _too_large(max_bytes: int) -> Refusal:
    return Refusal(413, "too_many_bytes", f"the request has more than {max_bytes} bytes, the limit of this server")


async def _files(boundary: bytes, body: AsyncIterator[bytes], max_photos: int) -> list[Upload]:
    """The files of a form, in order; fields that are no files are passed over."""
    form = _Form(max_photos)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for piece in body:
            parser.write(piece)
        parser.finalize()
    except MultipartParseError as error:
        raise Refusal(400, "form", f"the form is damaged: {error}") from error
    if not form.ended:
        raise Refusal(400, "form", "the form is damaged: it is cut off")
    return form.uploads


class _Form:
    """Collects what the parser of a form finds."""

    def __init__(self, max_photos: int) -> None:
        self.uploads: list[Upload] = []
        self.ended = False
        self._max_photos = max_photos
        self._part = _Part()
        self._name = self._value = b""
        self._file: str | None = None

    def callbacks(self) -> dict:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._part, self._file = _Part(), None

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._part.headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._part.headers.get(b"content-disposition", b""))
        name = options.get(b"filename")
        if name is None:
            return
        self._file = name.decode("utf-8", "replace")[:_NAME]
        if len(self.uploads) == self._max_photos:
            raise Refusal(
                413, "too_many_photos", f"the request has more than {self._max_photos} photos, the limit of this server"
            )

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._part.content += data[start:end]

    def _part_end(self) -> None:
        # A browser's file input that was left empty sends a file without a name and without content.
        if self._file is not None and (self._file or self._part.content):
            self.uploads.append(Upload(self._file, bytes(self._part.content)))
        self._part = _Part()

    def _end(self) -> None:
        self.ended = True
