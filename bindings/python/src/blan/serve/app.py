"""The application: its endpoints, and the way of a request through them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from ..errors import BlanError
from ..model import Model
from ..system import system
from . import answers, metrics, page, uploads
from .limits import Gate, RateLimiter, check_origin, check_token
from .middleware import CLIENT_CLOSED, Round
from .pipeline import Pipeline, Wanted, refused_for_its_pixels
from .refusals import Refusal
from .settings import CROP_PIXELS, Settings

Done = TypeVar("Done")

_ENDPOINTS = frozenset({"/predict", "/model", "/healthz", "/readyz", "/metrics", "/openapi.json"})


class PredictQuery(BaseModel):
    """Options of POST /predict."""

    model_config = ConfigDict(extra="forbid")

    aligned: bool = Field(False, description="the photos are crops framed like CelebA's: no face is looked for")
    attention: bool = Field(False, description="also give the aligned faces and their attention maps, as PNGs")
    max_faces: int = Field(0, ge=0, description="only the largest so many faces of a photo; 0 = the server's limit")


def create_app(model: Model, settings: Settings | None = None) -> FastAPI:
    """An ASGI application that predicts with a model.

    Args:
        model: used until the application has shut down; others may use it too.
        settings: limits and tuning; `host`, `port`, `proxy` and `access_log` are the server's and change nothing here.
            None = the defaults.
    """
    return _Service(model, settings or Settings()).app


class _Service:
    """The state behind one application."""

    def __init__(self, model: Model, settings: Settings) -> None:
        self._model, self._settings = model, settings
        self._ready = False
        self._pipeline = Pipeline(model, settings)
        self._gate = Gate(settings.max_queue)
        self._limiter = RateLimiter(settings.rate, settings.burst)
        self._metrics = metrics.Metrics(model, lambda: self._gate.taken, lambda: self._pipeline.waiting)
        self.app = FastAPI(
            title="blan",
            summary="Forty attributes of each face in a photo",
            version=system().version,
            docs_url=None,  # its pages load scripts from elsewhere
            redoc_url=None,
            lifespan=self._lifespan,
        )
        self.app.add_middleware(Round, metrics=self._metrics, paths=_ENDPOINTS | page.PATHS)
        self.app.add_exception_handler(Refusal, self._on_refusal)
        self.app.add_exception_handler(HTTPException, _on_http_exception)
        self.app.add_exception_handler(RequestValidationError, _on_invalid_query)
        self.app.add_exception_handler(BlanError, _on_failure)
        self._add_routes()

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        await self._pipeline.start()
        self._pipeline.metrics = self._metrics
        self._ready = True
        yield
        self._ready = False
        await self._pipeline.stop()

    def _add_routes(self) -> None:
        refusals = {
            status: {"model": answers.RefusalAnswer, "description": text}
            for status, text in {
                400: "no photo, a damaged form or an unknown option",
                401: "the token is missing or wrong",
                403: "sent by a page of another site",
                408: "the upload took too long",
                413: "too many bytes or photos",
                415: "a content type that holds no photo",
                429: "the client asked too often",
                503: "the server is busy; Retry-After tells when to try again",
                504: "the answer took too long",
            }.items()
        }
        forms = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/jpeg", "image/png")}
        files = {"type": "array", "items": {"type": "string", "format": "binary"}}
        forms["multipart/form-data"] = {"schema": {"type": "object", "properties": {"photos": files}}}
        self.app.post(
            "/predict",
            operation_id="predict",
            summary="Predict photos",
            response_model=None,
            responses={
                200: {"model": answers.Answer, "description": "at least one photo could be read"},
                422: {"model": answers.Answer, "description": "no photo could be read; each has its error"},
                **refusals,
            },
            openapi_extra={"requestBody": {"required": True, "content": forms}},
        )(self._predict)
        self.app.get("/model", summary="What is served", response_model=answers.ModelAnswer)(self._describe)
        self.app.get("/healthz", summary="Whether the server lives", response_class=PlainTextResponse)(_live)
        self.app.get("/readyz", summary="Whether it takes photos now", response_class=PlainTextResponse)(self._is_ready)
        self.app.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)(self._count)
        self.app.include_router(page.routes())

    async def _predict(self, request: Request, query: Annotated[PredictQuery, Query()]) -> Response:
        """Find the faces of one or many photos and predict their attributes."""
        self._limiter.take(request.client.host if request.client else "")
        check_origin(request.headers.get("origin"), request.headers.get("host", ""))
        self._check_token(request)
        most = query.max_faces or self._settings.max_faces
        wanted = Wanted(query.aligned, query.attention, most)
        places = 1  # held while the photos come, before their number is known
        self._gate.enter(places)
        try:
            photos = await self._upload(request)
            self._gate.enter(len(photos) - places)
            places = len(photos)
            found = await self._answers(request.receive, photos, wanted)
        except ClientDisconnect:
            self._metrics.rejected.labels("disconnected").inc()
            return Response(status_code=CLIENT_CLOSED)
        finally:
            self._gate.leave(places)
        return self._response(photos, found)

    async def _upload(self, request: Request) -> list[uploads.Upload]:
        return await uploads.read(
            request.headers.get("content-type", ""),
            request.headers.get("content-length"),
            request.stream(),
            self._settings.max_bytes,
            self._settings.max_photos,
            self._settings.timeout,
        )

    async def _answers(
        self, receive: Receive, photos: list[uploads.Upload], wanted: Wanted
    ) -> list[dict[str, Any] | BlanError]:
        answering = self._pipeline.answer(photos, wanted)
        try:
            return await asyncio.wait_for(_while_connected(receive, answering), self._settings.timeout)
        except asyncio.TimeoutError:
            message = f"the answer took more than {self._settings.timeout:g} seconds"
            raise Refusal(504, "timeout", message) from None

    def _response(self, photos: list[uploads.Upload], found: list[dict[str, Any] | BlanError]) -> JSONResponse:
        items, errors = [], []
        for photo, answer in zip(photos, found, strict=True):
            if isinstance(answer, BlanError):
                errors.append(answer)
                items.append(answers.error_answer(photo.name, answer))
                reason = "too_many_pixels" if refused_for_its_pixels(answer) else "unreadable"
                self._metrics.rejected.labels(reason).inc()
            else:
                items.append(answer)
                self._metrics.photos.inc()
                self._metrics.faces.inc(len(answer["faces"]))
        status = 200
        if len(errors) == len(photos):
            status = 500 if any(map(answers.is_fault_of_the_server, errors)) else 422
        return JSONResponse({"trained": self._model.trained, "photos": items}, status)

    async def _describe(self, request: Request) -> answers.ModelAnswer:
        """The model, its attributes and thresholds, and the server's limits."""
        self._check_token(request)
        model, settings = self._model, self._settings
        return answers.ModelAnswer(
            version=system().version,
            model=os.path.basename(model.path),
            trained=model.trained,
            input_size=model.input_size,
            names=list(model.names),
            thresholds={name: float(p) for name, p in zip(model.names, model.thresholds, strict=True)},
            limits={
                "bytes": settings.max_bytes,
                "pixels": settings.max_pixels,
                "pixels_aligned": min(settings.max_pixels, CROP_PIXELS),
                "photos": settings.max_photos,
                "faces": settings.max_faces,
                "seconds": settings.timeout,
            },
        )

    async def _is_ready(self) -> PlainTextResponse:
        """503 before the model is ready, and while the queue is full."""
        ready = self._ready and self._gate.taken < self._gate.room
        return PlainTextResponse("ready\n" if ready else "busy\n", 200 if ready else 503)

    async def _count(self, request: Request) -> Response:
        """Counts and durations since the start."""
        self._check_token(request)
        return Response(self._metrics.text(), headers={"Content-Type": metrics.CONTENT_TYPE})

    def _check_token(self, request: Request) -> None:
        check_token(self._settings.token, request.headers.get("authorization", ""))

    async def _on_refusal(self, _request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        self._metrics.rejected.labels(error.reason).inc()
        return error.response()


async def _live() -> PlainTextResponse:
    """200 as long as the server answers at all."""
    return PlainTextResponse("ok\n")


async def _while_connected(receive: Receive, work: Awaitable[Done]) -> Done:
    """The result of some work, which is given up when the client goes away.

    Raises:
        ClientDisconnect: it did.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for task in (working, watching):
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _on_http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = {404: "not_found", 405: "method"}.get(error.status_code, "http")
    return Refusal(error.status_code, kind, str(error.detail), **(error.headers or {})).response()


async def _on_invalid_query(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    parts = ("{}: {}".format(".".join(map(str, part["loc"])), part["msg"]) for part in error.errors())
    return Refusal(400, "query", "; ".join(parts)).response()


async def _on_failure(_request: Request, error: Exception) -> Response:
    return Refusal(500, type(error).__name__, str(error)).response()
