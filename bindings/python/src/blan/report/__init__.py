"""Self-contained HTML pages: what the network says about faces, and how well, with nothing loaded from elsewhere."""

from .contact import write_contact_sheet
from .evaluation import write_evaluation
from .explanation import write_explanation
from .faces import write_report

__all__ = ["write_contact_sheet", "write_evaluation", "write_explanation", "write_report"]
