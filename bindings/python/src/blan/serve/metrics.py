"""What a server counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from ..model import Model
from ..system import system

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Of `Metrics.text`."""


class Metrics:
    """The metrics of one server, in a registry of their own. Any thread may count."""

    def __init__(self, model: Model, photos: Callable[[], int], faces: Callable[[], int]) -> None:
        """Sets all counts to 0.

        Args:
            model: what the server predicts with.
            photos: tells how many photos are being read, wait or are worked on.
            faces: tells how many faces wait for a batch.
        """
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter("blan_requests", "Requests answered.", ("path", "status"), registry=registry)
        self.seconds = Histogram(
            "blan_request_seconds", "From a request to its answer.", ("path",), buckets=_SECONDS, registry=registry
        )
        self.rejected = Counter("blan_rejected", "Requests and photos refused.", ("reason",), registry=registry)
        self.photos = Counter("blan_photos", "Photos answered.", registry=registry)
        self.faces = Counter("blan_faces", "Faces predicted.", registry=registry)
        self.batches = Histogram(
            "blan_batch_size", "Faces in a call of the network.", buckets=_SIZES, registry=registry
        )
        self.batch_seconds = Histogram(
            "blan_batch_seconds", "Duration of a call of the network.", buckets=_SECONDS, registry=registry
        )
        self.photo_seconds = Histogram(
            "blan_photo_seconds", "Decoding a photo and finding its faces.", buckets=_SECONDS, registry=registry
        )
        queue = Gauge("blan_queue_photos", "Photos that are read, wait or are worked on.", registry=registry)
        queue.set_function(photos)
        waiting = Gauge("blan_queue_faces", "Faces that wait for a batch.", registry=registry)
        waiting.set_function(faces)
        name = model.path.rpartition("/")[2]
        Info("blan", "What is served.", registry=registry).info({"version": system().version, "model": name})

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)
