"""Requests that get no answer, and why."""

from __future__ import annotations

import math

from fastapi.responses import JSONResponse


class Refusal(Exception):
    """A request that is refused as a whole.

    Attributes:
        status: of HTTP.
        reason: a short name that programs can rely on; also the label in the metrics.
        headers: to send beside the standard ones.
    """

    def __init__(self, status: int, reason: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self) -> JSONResponse:
        """The refusal as JSON."""
        content = {"error": {"type": self.reason, "message": str(self)}}
        return JSONResponse(content, self.status, self.headers)


def later(status: int, reason: str, message: str, seconds: float) -> Refusal:
    """A refusal of what may succeed some seconds later."""
    return Refusal(status, reason, message, Retry_After=str(max(1, math.ceil(seconds))))
