"""Self-contained HTML pages: what the network says about faces, with nothing loaded from elsewhere."""

from .faces import write_report

__all__ = ["write_report"]
