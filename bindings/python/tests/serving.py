"""A server of its own process for the tests that talk to one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx


class Server:
    """`blan serve` on a free port of this machine, while it is entered.

    Attributes:
        url: where it listens.
        client: an HTTP client for it.
        log: what it wrote to stderr so far, line by line.
    """

    def __init__(self, *arguments: object, **environment: str) -> None:
        command = [sys.executable, "-m", "blan.cli", "serve", "--port", "0", *map(str, arguments)]
        kept = {name: value for name, value in os.environ.items() if name != "BLAN_SERVE_TOKEN"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=kept | environment
        )
        self.log: list[str] = []
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if match := re.search(r"at (http://\S+)", line):
                self.url = match[1]
                break
        else:
            raise AssertionError("".join(self.log))
        self._reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self._reader.start()
        self.client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def predict(self, *photos: Path | bytes, **query: object) -> httpx.Response:
        """Posts photos as a form; bytes go by the name "bytes"."""
        files = [
            ("photos", ("bytes", photo) if isinstance(photo, bytes) else (photo.name, photo.read_bytes()))
            for photo in photos
        ]
        return self.client.post("/predict", files=files, params=query)

    def metric(self, name: str) -> float:
        """The value of one line of /metrics; 0 where it is missing."""
        for line in self.client.get("/metrics").text.splitlines():
            if line.rpartition(" ")[0] == name:
                return float(line.rpartition(" ")[2])
        return 0

    def stop(self) -> int:
        """Ends it as a service manager does; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        self._reader.join(timeout=10)
        return status

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=10)
