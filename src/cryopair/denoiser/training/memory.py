"""How much memory a training will take, before it starts.

The constants are fitted to the peaks of trainings on a CPU, of 4 to 32 pairs of 512² to 4096² px and 2 to 32 crops
of 128² to 256² px, which the estimate meets within 20 %. On a GPU they have not been measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ...device import fast_precision
from ...errors import UsageError
from ..networks.base import Network
from . import processes
from .free_memory import free_memory
from .pairs import readers, working_shape
from .training_set import TrainingPair

GB = 1e9

_PROGRAM = 0.37 * GB  # Python with torch, NumPy and SciPy
_PER_PIXEL = 4  # of a pair: two halves in half precision
_READING = 14  # bytes per pixel of a half while it is read, resampled and normalised
_CLEARLY = 0.8  # share of the estimate that must be there: it may be too high by so much


@dataclass(frozen=True)
class Memory:
    """What a training needs, in bytes.

    Attributes
    ----------
    pairs : float
        Of the machine, per process: the program and the halves.
    step : float
        Of the device: one step.
    """

    pairs: float
    step: float

    def total(self) -> float:
        """Return the sum of the two."""
        return self.pairs + self.step


def estimate(
    pairs: Sequence[TrainingPair], network: Network, *, pixel_size: float, crops: int, side: int, device: torch.device
) -> Memory:
    """Estimate the memory of one process.

    Parameters
    ----------
    pairs : sequence of TrainingPair
        All that will be read.
    network : Network
        On `device`.
    pixel_size : float
        That it works at, in Å/px.
    crops, side : int
        Crops in this process's part of a batch, and their side in pixels.
    device : torch.device
        Where to compute.
    """
    working = [height * width for height, width in (working_shape(pair, pixel_size) for pair in pairs)]
    largest = max(height * width for height, width in (pair.shape for pair in pairs))
    held = _PROGRAM + _PER_PIXEL * sum(working)
    weights = sum(weight.numel() * weight.element_size() for weight in network.parameters())
    # Weights, their mean, gradients, two moments, and the copy that can be gone back to (of four of them).
    step = 9 * weights + crops * side**2 * kept_per_pixel(network, device)
    if device.type == "cpu":  # the reading is over when the first step begins
        return Memory(held, max(step, _READING * readers() * largest))
    return Memory(held + _READING * readers() * largest, step)


def kept_per_pixel(network: Network, device: torch.device) -> float:
    """Return the bytes per pixel that a network keeps for the way back, as counted on a small image."""
    side = max(64, 4 * network.grid)
    kept: dict[int, int] = {}

    def count(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    weights = {weight.untyped_storage().data_ptr() for weight in network.parameters()}
    image = torch.zeros(1, 1, side, side, device=device)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor), fast_precision(device):
        output = network(image)
    del output
    return sum(size for place, size in kept.items() if place not in weights) / side**2


def check(memory: Memory, device: torch.device) -> None:
    """Make sure that the machine and the device have enough free memory.

    Raises
    ------
    UsageError
        When one clearly has less.
    """
    if device.type == "cuda":
        _compare(memory.step, torch.cuda.mem_get_info(device)[0], f"GPU ({device})")
        needed = memory.pairs
    else:
        needed = memory.total()
    free = free_memory()
    if free is not None:
        # All processes see the same free memory, and each will take its part of it.
        _compare(needed * processes.count(), free, "machine (or this job)")


def _compare(needed: float, free: float, where: str) -> None:
    if _CLEARLY * needed > free:
        raise UsageError(
            f"training needs about {needed / GB:.1f} GB of memory, and the {where} has {free / GB:.1f} GB free. Train "
            "at a coarser --pixel-size, or freeze fewer pairs."
        )
