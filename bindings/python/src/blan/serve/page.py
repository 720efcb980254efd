"""The upload page: static files of the package, and the headers that keep a browser to them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from fastapi import APIRouter, Request, Response

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

SECURITY_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""Sent with every answer."""

_FILES = {
    "/": (__package__, "static/index.html", "text/html; charset=utf-8"),
    "/page.css": (__package__, "static/page.css", "text/css; charset=utf-8"),
    "/page.js": (__package__, "static/page.js", "text/javascript; charset=utf-8"),
    "/faces.js": (__package__, "static/faces.js", "text/javascript; charset=utf-8"),
    "/icon.svg": (__package__, "static/icon.svg", "image/svg+xml"),
    "/report.css": ("blan.report", "page.css", "text/css; charset=utf-8"),  # the look of all of blan's pages
}
"""Package, file and content type of each path."""

PATHS = frozenset(_FILES)


@dataclass(frozen=True)
class _File:
    content: bytes
    kind: str
    tag: str


def routes() -> APIRouter:
    """GET and HEAD of the page and its files, which are read now."""
    router = APIRouter(include_in_schema=False)
    held = {path: _held(*place) for path, place in _FILES.items()}

    async def serve(request: Request) -> Response:
        file = held[request.url.path]
        headers = {"ETag": file.tag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers=headers, media_type=file.kind)

    for path in held:
        router.add_api_route(path, serve, methods=["GET", "HEAD"])
    return router


def _held(package: str, name: str, kind: str) -> _File:
    content = files(package).joinpath(name).read_bytes()
    return _File(content, kind, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
