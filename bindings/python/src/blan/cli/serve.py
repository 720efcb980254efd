"""`blan serve`: predictions over HTTP, with an upload page and metrics."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import typer

from ..model import load
from .console import UNTRAINED, note, warn
from .options import ComputedWith, MinFace, ModelFile, Threads, chosen

EXAMPLES = """\b
Examples:
  blan serve                                       then open http://127.0.0.1:8000
  curl -F photos=@a.jpg -F photos=@b.png http://127.0.0.1:8000/predict
  curl -H 'Content-Type: image/jpeg' --data-binary @a.jpg http://127.0.0.1:8000/predict
  BLAN_SERVE_TOKEN=$(openssl rand -hex 16) blan serve --host 0.0.0.0 --rate 5 --burst 20
"""


def serve(
    model: ModelFile = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port to listen on; 0 = a free one.")] = 8000,
    token: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            envvar="BLAN_SERVE_TOKEN",
            show_default=False,
            help="Bearer token that clients must send; command lines are seen by others: the variable is safer.",
        ),
    ] = "",
    proxy: Annotated[
        str,
        typer.Option(
            metavar="ADDRESSES",
            show_default=False,
            help="Addresses of reverse proxies, separated by commas, whose X-Forwarded-For names the client.",
        ),
    ] = "",
    threads: Threads = 0,
    precision: ComputedWith = None,
    max_batch: Annotated[
        int, typer.Option(metavar="N", min=1, max=1024, help="Faces in one call of the network.")
    ] = 32,
    max_wait_ms: Annotated[
        float,
        typer.Option(metavar="MS", min=0, max=10000, help="How long a face waits for others that are on their way."),
    ] = 5,
    min_face: MinFace = 20,
    max_queue: Annotated[
        int, typer.Option(metavar="N", min=1, help="Photos worked on or waiting at a time; beyond, 503.")
    ] = 64,
    max_mb: Annotated[float, typer.Option(metavar="MB", min=0.001, help="Size of a request (1 MB = 2^20 bytes).")] = 20,
    max_pixels: Annotated[
        int, typer.Option(metavar="N", min=1, help="Pixels of a photo; a larger one is refused undecoded.")
    ] = 25_000_000,
    max_photos: Annotated[int, typer.Option(metavar="N", min=1, help="Photos in a request.")] = 16,
    max_faces: Annotated[
        int, typer.Option(metavar="N", min=1, help="Faces of a photo that are predicted, the largest first.")
    ] = 32,
    rate: Annotated[
        float, typer.Option(metavar="N", min=0, help="Predictions a second for a client address; 0 = any number.")
    ] = 100,
    burst: Annotated[int, typer.Option(metavar="N", min=1, help="Predictions at once for a client address.")] = 200,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.01, help="How long an upload may take, and then its answer.")
    ] = 30,
    access_log: Annotated[
        bool, typer.Option("--access-log", help="Print a line a request: client, path, status; never content.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No notes; warnings and errors are still printed.")
    ] = False,
) -> None:
    """Serve predictions over HTTP, with an upload page.

    POST /predict takes photos and gives JSON; GET / is a page to try it; /model, /healthz, /readyz, /metrics and
    /openapi.json tell about the server. It listens on this machine alone unless --host says otherwise, speaks plain
    HTTP (put a reverse proxy with TLS in front of it in a network), and stores no photo. SIGTERM and Ctrl-C finish what
    is under way. Needs the extra: pip install 'blan[serve]'.
    """
    from .. import serve as serving

    settings = serving.Settings(
        host=host,
        port=port,
        token=token,
        proxy=proxy,
        max_batch=max_batch,
        max_wait_ms=max_wait_ms,
        max_queue=max_queue,
        max_bytes=round(max_mb * 2**20),
        max_pixels=max_pixels,
        max_photos=max_photos,
        max_faces=max_faces,
        min_face=min_face,
        rate=rate,
        burst=burst,
        timeout=timeout,
        access_log=access_log,
    )
    if not _is_loopback(host):
        open_to = "whoever has the token" if token else "ANYONE who reaches it: --token asks for one"
        warn(f"listening on {host}, beyond this machine; open to {open_to}. The connection is not encrypted.")
    with load(model, threads=threads, precision=chosen(precision)) as network:
        if not network.trained:
            warn(UNTRAINED)

        def listening(address: str) -> None:
            if not quiet:
                note(f"serving {network.path} at {address} on {network.threads} threads; Ctrl-C stops")

        serving.run(network, settings, on_listening=listening)
    if not quiet:
        note("stopped; every request that was accepted is answered")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
