"""Section 4.2: Adam for everything but the fusion matrix W, SGD for W, both decaying linearly to a tenth."""

from __future__ import annotations

import torch

from .network import BLAN


class Optimisation:
    """The step counted s of `steps` (s from 0) has learning rates lr · (1 - 0.9 · s / steps)."""

    def __init__(self, network: BLAN, steps: int, learning_rate: float = 1e-3, fusion_learning_rate: float = 1e-4):
        named = dict(network.named_parameters())
        fusion = named.pop("fusion.weight", None)
        self.optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Adam(named.values(), lr=learning_rate, betas=(0.9, 0.999), eps=1e-8)
        ]
        if fusion is not None:
            self.optimisers.append(torch.optim.SGD([fusion], lr=fusion_learning_rate))
        self.schedules = [
            torch.optim.lr_scheduler.LinearLR(o, start_factor=1.0, end_factor=0.1, total_iters=steps)
            for o in self.optimisers
        ]

    @property
    def learning_rate(self) -> float:
        """Adam's, of the step to come."""
        return self.optimisers[0].param_groups[0]["lr"]

    def step(self, loss: torch.Tensor) -> None:
        """One update from the gradients of `loss`."""
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        loss.backward()
        for optimiser, schedule in zip(self.optimisers, self.schedules, strict=True):
            optimiser.step()
            schedule.step()
