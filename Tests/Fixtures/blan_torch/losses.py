"""The losses of Eq. 8, each a mean over the batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .network import BLAN, Outputs


@dataclass(frozen=True)
class LossWeights:
    """total = Σ_i (cls_i + alpha · lmim_i) + beta · rec + gamma · sf."""

    alpha: float = 0.1
    beta: float = 0.1
    gamma: float = 1.0


def classification(scores: Tensor, labels: Tensor) -> Tensor:
    """Eqs. 4 and 7: cross-entropy summed over the attributes, averaged over the images.

    Scores are batch x N x 2; labels batch x N: 1 present, -1 absent, 0 unknown and left out.
    """
    each = F.cross_entropy(scores.transpose(1, 2), (labels > 0).long(), reduction="none")
    return (each * (labels != 0)).sum() / len(labels)


def mutual_information(discriminator: torch.nn.Module, features: Tensor, embedding: Tensor) -> Tensor:
    """Real pairs towards 1; the features of the previous image (the first takes the last's) towards 0."""
    if len(features) < 2:
        raise ValueError("a batch of one image has no fake pair")
    real = discriminator(features, embedding)
    fake = discriminator(features.roll(1, 0), embedding)
    return F.binary_cross_entropy_with_logits(real, torch.ones_like(real)) + F.binary_cross_entropy_with_logits(
        fake, torch.zeros_like(fake)
    )


def losses(
    network: BLAN, outputs: Outputs, pixels: Tensor, labels: Tensor, weights: LossWeights = LossWeights()
) -> dict[str, Tensor]:
    """`cls` [4], `lmim` [4], `rec`, `sf`, `total`; zero where the variant, or a weight of zero, leaves a term out."""
    zero = pixels.new_zeros(())
    configuration = network.configuration
    cls = torch.stack([classification(outputs.scores[:, level], labels) for level in range(4)])
    lmim, rec, sf = pixels.new_zeros(4), zero, zero
    if configuration.has_lmim and weights.alpha > 0:
        pairs = zip(network.lmim, outputs.features, outputs.embeddings.unbind(1), strict=True)
        lmim = torch.stack([mutual_information(*each) for each in pairs])
    if configuration.has_decoder and weights.beta > 0:
        rec = F.mse_loss(network.reconstruction(outputs.decoded[0]), pixels)
    if configuration.has_fusion:
        sf = classification(outputs.logits, labels)
    total = cls.sum() + weights.alpha * lmim.sum() + weights.beta * rec + weights.gamma * sf
    return {"cls": cls, "lmim": lmim, "rec": rec, "sf": sf, "total": total}
