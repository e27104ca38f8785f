"""Training pairs as a network sees them: both halves whole, resampled and normalised, in memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ...errors import BadFileError, UsageError
from ...formats.mrc import read_mrc
from ..grey_levels import measure
from ..networks.base import Network
from ..sampling import resample, resampled_shape
from .datasets import SAME_PIXEL_SIZE
from .processes import is_first
from .training_set import TrainingPair, file_hash

Half = npt.NDArray[np.float16]
Crop = npt.NDArray[np.float32]

_MOST_READERS = 4
_COARSER = 1.1  # as `resampled_shape`: what is within 10 % of the target stays as it is


@dataclass(frozen=True, eq=False)
class OpenPair:
    """Both halves of one movie, normalised.

    Attributes
    ----------
    halves : tuple of numpy.ndarray
        Even and odd, shape ``(height, width)`` each. Half precision rounds to 1/4000 of the noise.
    dataset : int
        As in the manifest.
    """

    halves: tuple[Half, Half]
    dataset: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)``."""
        height, width = self.halves[0].shape
        return height, width

    def centre(self, side: int, grid: int) -> tuple[Crop, Crop]:
        """Return the central region of both halves, at most `side` wide, a multiple of `grid`."""
        parts = [min(side, size) // grid * grid for size in self.shape]
        starts = [(size - part) // 2 for size, part in zip(self.shape, parts, strict=True)]
        y, x = (slice(start, start + part) for start, part in zip(starts, parts, strict=True))
        even, odd = (half[y, x].astype(np.float32) for half in self.halves)
        return even, odd


def working_pixel_size(pairs: Sequence[TrainingPair], target: float | None) -> float:
    """Return the pixel size that a network will work at, in Å/px.

    Parameters
    ----------
    pairs : sequence of TrainingPair
        All pairs of the training set.
    target : float or None
        Wanted; None to leave all pairs as they are. Pairs of one pixel size that is coarser stay as they are too.

    Raises
    ------
    UsageError
        When the pairs differ in pixel size and are not all as fine as `target`.
    """
    smallest = min(pairs, key=lambda pair: pair.pixel_size)
    largest = max(pairs, key=lambda pair: pair.pixel_size)
    fine_enough = target is not None and largest.pixel_size <= _COARSER * target
    if target is not None and fine_enough:
        return target
    if largest.pixel_size > SAME_PIXEL_SIZE * smallest.pixel_size:
        raise UsageError(
            f"the training pairs differ in pixel size: {smallest.micrograph} has {smallest.pixel_size:g} Å/px, "
            f"{largest.micrograph} has {largest.pixel_size:g} Å/px. Train one model for each pixel size, or all at "
            f"--pixel-size {largest.pixel_size:g} or coarser."
        )
    return float(np.median([pair.pixel_size for pair in pairs]))


def working_shape(pair: TrainingPair, pixel_size: float) -> tuple[int, int]:
    """Return ``(height, width)`` of a pair at the pixel size of `working_pixel_size`."""
    return resampled_shape(pair.shape, pixel_size=pair.pixel_size, target=pixel_size)


def open_pairs(pairs: Sequence[TrainingPair], network: Network, *, pixel_size: float) -> list[OpenPair]:
    """Read, resample and normalise the halves of all pairs, as `network` will see them.

    Parameters
    ----------
    pairs : sequence of TrainingPair
        Their paths are relative to the working directory.
    network : Network
        Whose `grey_levels` to use.
    pixel_size : float
        Of `working_pixel_size`, in Å/px.

    Raises
    ------
    BadFileError
        When a half is missing, constant, or not the file that was frozen.
    """

    def read(path: str, pair: TrainingPair, frozen_hash: str) -> Half:
        image = resample(_frozen(path, pair.shape, frozen_hash), working_shape(pair, pixel_size))
        return measure(image, network, name=path).apply(image).astype(np.float16)

    def halves() -> Iterable[tuple[str, TrainingPair, str]]:
        for pair in pairs:
            yield pair.even, pair, pair.hash_even
            yield pair.odd, pair, pair.hash_odd

    with (
        ThreadPoolExecutor(readers()) as pool,
        tqdm(range(len(pairs)), desc="read pairs", unit="pair", file=sys.stderr, disable=not is_first()) as places,
    ):
        waiting = [pool.submit(read, *half) for half in halves()]
        try:
            both = [(waiting[2 * place].result(), waiting[2 * place + 1].result()) for place in places]
        finally:
            pool.shutdown(cancel_futures=True)
    return [OpenPair(halves, pair.dataset) for halves, pair in zip(both, pairs, strict=True)]


def readers() -> int:
    """Return how many halves are read at the same time."""
    return min(_MOST_READERS, os.cpu_count() or 1)


def crop_side(shapes: Iterable[tuple[int, int]], wanted: int, grid: int) -> int:
    """Return the side of training crops: as wanted, or what the smallest micrograph allows, on the grid.

    Raises
    ------
    UsageError
        When a micrograph is smaller than two grid cells.
    """
    smallest = min(min(shape) for shape in shapes)
    side = min(wanted, smallest) // grid * grid
    if side < 2 * grid:
        raise UsageError(
            f"training crops would be {side} px (wanted {wanted} px, smallest micrograph side {smallest} px); "
            f"at least {2 * grid} px are needed."
        )
    return side


def _frozen(path: str, shape: tuple[int, int], frozen_hash: str) -> npt.NDArray:
    """Read a half that must be the one that was frozen."""
    if file_hash(path) != frozen_hash:
        raise BadFileError(
            path,
            "has changed since the training set was frozen",
            fix="Put the old file back, or freeze a new training set.",
        )
    image = read_mrc(path)
    if image.shape != shape:
        raise BadFileError(path, f"has shape {image.shape}", expected=f"one image of {shape}")
    return image
