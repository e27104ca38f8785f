"""One training step after another: the optimiser, the averaged weights, and the way back when they break."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ...device import fast_precision
from ...errors import CryopairError
from ..networks.base import Network
from . import processes, schedule
from .batches import Batch, ahead
from .checkpoint import Checkpoint, Progress
from .loss import pair_loss
from .optimiser import Muon

MOST_ROLLBACKS = 3

_WEIGHT_DECAY = 1e-4
_LARGEST_GRADIENT = 1.0


class Trainer:
    """A network in training, from its first step or from a checkpoint on.

    Parameters
    ----------
    network : Network
        On `device`; trained in place.
    steps : int
        In all.
    learning_rate : float
        At its highest.
    batch : int
        Crops per batch, over all processes.
    device : torch.device
        Where to compute.
    new : bool
        Whether the network has random weights. False: AdamW fine-tunes it, since large steps in all directions would
        make it forget what it knows.

    Attributes
    ----------
    averaged : Network
        The running mean of the weights, which is what is kept in the end.
    progress : Progress
        How far it is.
    """

    def __init__(
        self,
        network: Network,
        *,
        steps: int,
        learning_rate: float,
        batch: int,
        device: torch.device,
        new: bool = True,
    ) -> None:
        self.network, self.steps, self.device = network, steps, device
        self.averaged = deepcopy(network).requires_grad_(False)
        self.progress = Progress()
        self._learning_rate, self._batch = learning_rate, batch
        self._forward = processes.distributed(network)
        self._weights: list[Tensor] = list(network.parameters())
        self._means: list[Tensor] = list(self.averaged.parameters())
        self._optimiser: torch.optim.Optimizer = (
            Muon(self._weights, lr=learning_rate, weight_decay=_WEIGHT_DECAY)
            if new
            else torch.optim.AdamW(
                self._weights, lr=learning_rate, weight_decay=_WEIGHT_DECAY, fused=device.type in ("cpu", "cuda")
            )
        )
        self._losses: list[Tensor] = []  # of the steps since the last look: to look at once would wait for a GPU
        self._norms = torch.zeros((), device=device)  # of the gradients, summed: not finite if any of them is not

    def run(
        self,
        draw: Callable[[int], Batch],
        *,
        report: Callable[[Trainer], dict[str, float]],
        keep: Callable[[Checkpoint], None],
    ) -> Iterator[int]:
        """Go on to the last step, giving the number of each step that is done.

        Parameters
        ----------
        draw : callable
            Gives the batch of a number.
        report : callable
            Called at each report; its result becomes a line of the history.
        keep : callable
            Called with each checkpoint.

        Raises
        ------
        CryopairError
            When loss or weights are not finite, and going back `MOST_ROLLBACKS` times did not help.
        """
        good = self.checkpoint()
        for batch in ahead(draw, self.progress.draws):
            self.step(batch)
            step = self.progress.step
            if schedule.is_guarded(step, self.steps) and not self._look():
                self._roll_back(good)
                continue
            if schedule.is_report(step, self.steps):
                self.progress.history.append(report(self))
                self.progress.losses = []
            if schedule.is_checkpoint(step, self.steps):
                good = self.checkpoint()
                keep(good)
            yield step
            if step == self.steps:
                return

    @property
    def rate(self) -> float:
        """Learning rate of the last step."""
        return float(self._optimiser.param_groups[0]["lr"])

    def step(self, batch: Batch) -> None:
        """Do one step with this process's part of a batch."""
        highest = self._learning_rate * 0.5 ** len(self.progress.rollbacks)
        self._optimiser.param_groups[0]["lr"] = highest * schedule.rate(self.progress.step, self.steps)
        inputs, targets = (self._moved(array) for array in batch)
        with fast_precision(self.device):
            predicted = self._forward(inputs)
        # Gradients are averaged over the processes: so each counts by its share of the batch.
        loss = pair_loss(predicted, targets) * (len(inputs) * processes.count() / self._batch)
        self._optimiser.zero_grad()
        loss.backward()
        self._norms += nn.utils.clip_grad_norm_(self._weights, _LARGEST_GRADIENT)
        self._optimiser.step()
        self._losses.append(loss.detach())
        self.progress.step += 1
        self.progress.draws += 1
        memory = schedule.memory(self.progress.step, self.steps)
        with torch.no_grad():
            torch._foreach_lerp_(self._means, self._weights, 1 - memory)

    def checkpoint(self) -> Checkpoint:
        """Return a copy of all that is needed to go on from here."""
        tensors: dict[str, Tensor] = {}
        for (name, weight), mean in zip(self.network.named_parameters(), self._means, strict=True):
            moments = {f"optimiser.{key}": value for key, value in self._optimiser.state.get(weight, {}).items()}
            for kind, tensor in {"network": weight, "averaged": mean, **moments}.items():
                tensors[f"{kind}/{name}"] = tensor.detach().clone()
        return Checkpoint(tensors, deepcopy(self.progress))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back, or on, to a checkpoint."""
        stored: dict[str, dict[str, Tensor]] = {}
        for key, tensor in checkpoint.tensors.items():
            kind, _, name = key.partition("/")
            stored.setdefault(kind, {})[name] = tensor
        self.network.load_state_dict(stored["network"], strict=False)
        self.averaged.load_state_dict(stored["averaged"], strict=False)
        moments: dict[int, dict[str, Any]] = {}
        for place, (name, _) in enumerate(self.network.named_parameters()):
            for kind in stored.keys() - {"network", "averaged"}:
                if name in stored[kind]:
                    moments.setdefault(place, {})[kind.partition(".")[2]] = stored[kind][name].clone()
        self._optimiser.load_state_dict(self._optimiser.state_dict() | {"state": moments})
        self.progress = deepcopy(checkpoint.progress)
        self._losses = []
        self._norms.zero_()

    @torch.no_grad()
    def _look(self) -> bool:
        """Take in the losses since the last look; whether they and the weights are finite in all processes."""
        # Gradients, and so their norms, are the same in all processes; losses are not.
        self.progress.losses += processes.mean(torch.stack(self._losses)).tolist()
        self._losses = []
        sums = torch.stack(torch._foreach_norm(self._weights)).sum() + self._norms
        return bool(np.isfinite(self.progress.losses).all() and sums.isfinite())

    def _roll_back(self, good: Checkpoint) -> None:
        broken, draws, rollbacks = self.progress.step, self.progress.draws, self.progress.rollbacks
        if len(rollbacks) == MOST_ROLLBACKS:
            raise CryopairError(
                f"train: the loss or the weights were not finite at step {broken} of {self.steps}, after going back "
                f"{MOST_ROLLBACKS} times and halving the learning rate each time. Look at the half-sums of the "
                "training set for damage, and freeze one without the bad ones."
            )
        self.restore(good)
        # With other batches than those that led there.
        self.progress.draws, self.progress.rollbacks = draws, [*rollbacks, broken]
        if processes.is_first():
            tqdm.write(
                f"train: the loss or the weights were not finite at step {broken}: back to step {self.progress.step}, "
                "with half the learning rate.",
                file=sys.stderr,
            )

    def _moved(self, array: np.ndarray) -> Tensor:
        """Return a tensor in float32 on the device; it travels in half precision."""
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True).float()
