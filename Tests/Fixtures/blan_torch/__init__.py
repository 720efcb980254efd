"""BLAN in plain PyTorch, written from the network's specification alone: the reference that libblan is checked against.

    from blan_torch import BLAN, Configuration
    network = BLAN(Configuration(input_size=128, width=16)).eval()
    probabilities = network(pixels)             # batch x N
    everything = network.outputs(pixels)        # scores, embeddings, maps

The folder above this one must be on ``sys.path``. Nothing here is fast or clever on purpose.
"""

from .configuration import CELEBA_ATTRIBUTES, ORDERS, VARIANTS, Configuration
from .files import load_model, save_model
from .losses import LossWeights, losses
from .network import BLAN, Outputs
from .optimisation import Optimisation

__all__ = [
    "BLAN",
    "CELEBA_ATTRIBUTES",
    "ORDERS",
    "VARIANTS",
    "Configuration",
    "LossWeights",
    "Optimisation",
    "Outputs",
    "load_model",
    "losses",
    "save_model",
]
