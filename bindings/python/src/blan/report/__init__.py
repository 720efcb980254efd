"""Self-contained HTML pages: what the network says about faces, and how well, with nothing loaded from elsewhere."""

from .evaluation import write_evaluation
from .explanation import write_explanation
from .faces import write_report

__all__ = ["write_evaluation", "write_explanation", "write_report"]
