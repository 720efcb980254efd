"""Predictions over HTTP: an API, an upload page and metrics. Needs the extra: ``pip install 'blan[serve]'``.

    import blan
    from blan import serve

    serve.run(blan.load(), serve.Settings(port=8000))        # until SIGTERM or Ctrl-C
    app = serve.create_app(blan.load(), serve.Settings())    # or an ASGI application for a server of your own

docs/serving.md tells the endpoints and limits.
"""

from __future__ import annotations

from ..errors import UnsupportedError

try:
    import fastapi as _fastapi  # noqa: F401
    import prometheus_client as _prometheus_client  # noqa: F401
    import python_multipart as _python_multipart  # noqa: F401
    import uvicorn as _uvicorn  # noqa: F401
except ImportError as error:
    raise UnsupportedError(f"serving needs further packages: pip install 'blan[serve]' ({error})") from error

from .app import create_app
from .server import run
from .settings import Settings

__all__ = ["Settings", "create_app", "run"]
