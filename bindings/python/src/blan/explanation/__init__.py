"""What a prediction rests on: Grad-CAM at the network's levels, and occlusion."""

from .drawing import overlay
from .explainer import Explainer
from .result import Explanation

__all__ = ["Explainer", "Explanation", "overlay"]
