"""Running the application on a port."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from ..errors import FileError, InternalError
from ..model import Model
from .app import create_app
from .settings import Settings

_CONNECTIONS = 1024
"""Open at a time, at most; beyond, a client is told 503."""

_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "line"}},
    "loggers": {
        "uvicorn.error": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
        "uvicorn.access": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
    },
}
"""Messages and the access log go to stderr."""


def run(model: Model, settings: Settings | None = None, *, on_listening: Callable[[str], None] | None = None) -> None:
    """Serves until SIGTERM or SIGINT (Ctrl-C); then takes no more requests and finishes those it has.

    A second Ctrl-C ends it at once. Call it on the main thread. Signals are handled as before once it returns.

    Args:
        model: what to predict with.
        settings: where to listen, limits and tuning; None = the defaults.
        on_listening: told the server's address, such as http://127.0.0.1:8000, when it takes requests.

    Raises:
        FileError: it cannot listen there.
    """
    settings = settings or Settings()
    app = create_app(model, settings)
    with _listening(settings.host, settings.port) as listener:
        config = uvicorn.Config(
            app,
            log_config=_LOGGING,
            access_log=settings.access_log,
            server_header=False,
            ws="none",
            proxy_headers=bool(settings.proxy),
            forwarded_allow_ips=settings.proxy or None,
            limit_concurrency=_CONNECTIONS,
        )
        server = _Server(config, lambda: on_listening and on_listening(_address(listener)))
        # uvicorn has handlers of its own meanwhile. It raises the signal that ended it once more when it is done; that
        # is no reason to die.
        before = {number: signal.signal(number, server.stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            server.run(sockets=[listener])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    if not server.started:
        raise InternalError("the server did not start; the log says why")


class _Server(uvicorn.Server):
    """uvicorn's server, which tells when it takes requests."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts the application and begins to accept connections."""
        await super().startup(sockets)
        if self.started:
            self._on_started()

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """Handles a signal: ends the server, or does not let it begin."""
        self.should_exit = True


def _listening(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = found[0]
        listener = socket.create_server(address[:2], family=family, backlog=_CONNECTIONS)
    except OSError as error:
        raise FileError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from error
    # Connections inherit it. asyncio sets it only where the socket's protocol was named, and without it the body of an
    # answer waits some 40 ms for the client to acknowledge its headers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
