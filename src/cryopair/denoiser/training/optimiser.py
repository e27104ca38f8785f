"""The optimiser: momentum made orthogonal for the kernels between many channels, AdamW for all else.

Such a kernel is a matrix, from all that it sees to all that it gives. Its gradients are large in a few directions
only, and steps along them leave the others as they are. Here each step is the momentum with its singular values made
nearly alike, so that what is rare is learnt as fast as what is common (Muon: Jordan et al. 2024). Steps are as large as
Adam's would be (Liu et al. 2025), so both have one learning rate. 300 steps on simulated pairs came to 6.0 dB, with
AdamW alone to 5.5 dB; on real apoferritin, to a correlation of 0.092 and of 0.070.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

MANY = 16
"""Channels that a kernel must have on either side; the first and the last layer of a network have fewer."""

_MOMENTUM = 0.95
_BETAS, _EPSILON = (0.9, 0.999), 1e-8
_SIZE = 0.2  # root mean square of a step, in learning rates: about that of Adam's
_ROUNDS = 5
_QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's: brings singular values to between 0.7 and 1.2 in five rounds


class Muon(torch.optim.Optimizer):
    """Optimiser of a new network.

    Parameters
    ----------
    weights : iterable of torch.Tensor
        All weights of a network.
    lr : float
        Learning rate.
    weight_decay : float
        Share of the weights that is taken off in each step, in learning rates.
    """

    def __init__(self, weights: Iterable[Tensor], *, lr: float, weight_decay: float) -> None:
        super().__init__(weights, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Do one step with the gradients that are there."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                move = _kernel_step if is_wide(weight) else _adam_step
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(move(weight.grad, self.state[weight]), alpha=group["lr"])


def is_wide(weight: Tensor) -> bool:
    """Whether a weight is a kernel between many channels."""
    return weight.ndim >= 4 and min(weight.shape[:2]) >= MANY


def orthogonal(matrix: Tensor) -> Tensor:
    """Return nearly ``U Vᵀ`` of a matrix ``U S Vᵀ``, by iterating an odd polynomial on its singular values."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    a, b, c = _QUINTIC
    for _ in range(_ROUNDS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x


def _kernel_step(gradient: Tensor, state: dict[str, Any]) -> Tensor:
    if not state:
        state["momentum"] = torch.zeros_like(gradient)
    momentum = state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
    matrix = gradient.lerp(momentum, _MOMENTUM).flatten(1)  # one step ahead, as Nesterov's
    return (orthogonal(matrix) * (_SIZE * max(matrix.shape) ** 0.5)).view_as(gradient)


def _adam_step(gradient: Tensor, state: dict[str, Any]) -> Tensor:
    if not state:
        state |= {"step": torch.zeros(()), "mean": torch.zeros_like(gradient), "square": torch.zeros_like(gradient)}
    state["step"] += 1
    steps = float(state["step"])
    mean = state["mean"].lerp_(gradient, 1 - _BETAS[0])
    square = state["square"].lerp_(gradient**2, 1 - _BETAS[1])
    scale = (square / (1 - _BETAS[1] ** steps)).sqrt_().add_(_EPSILON)
    return mean / scale / (1 - _BETAS[0] ** steps)
