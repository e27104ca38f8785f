"""Training pairs as a network sees them: normalised regions of both halves, read from disk as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ..errors import BadFileError, UsageError
from ..formats.mrc import map_mrc
from .normalise import Normalisation
from .training_set import TrainingPair, file_hash

Crop = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Half:
    """One half-sum, mapped from its file, with the normalisation of the whole of it."""

    pixels: npt.NDArray
    normalisation: Normalisation

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)``."""
        return self.normalisation.shape

    def crop(self, origin: tuple[int, int], shape: tuple[int, int]) -> Crop:
        """Return a normalised region."""
        (y, x), (height, width) = origin, shape
        return self.normalisation.apply(self.pixels[y : y + height, x : x + width], origin=origin)


@dataclass(frozen=True)
class OpenPair:
    """Both halves of one movie."""

    even: Half
    odd: Half

    def centre(self, side: int, grid: int) -> tuple[Crop, Crop]:
        """Return the central region of both halves, at most `side` wide, a multiple of `grid`."""
        shape = tuple(min(side, size) // grid * grid for size in self.even.shape)
        origin = tuple((size - part) // 2 for size, part in zip(self.even.shape, shape, strict=True))
        return self.even.crop(origin, shape), self.odd.crop(origin, shape)  # type: ignore[arg-type]


def open_pairs(pairs: Sequence[TrainingPair]) -> list[OpenPair]:
    """Map the halves of all pairs and measure their normalisation.

    Raises
    ------
    BadFileError
        When a half is missing, constant, or not the file that was frozen.
    """
    return [
        OpenPair(_open(pair.even, pair.shape, pair.hash_even), _open(pair.odd, pair.shape, pair.hash_odd))
        for pair in tqdm(pairs, desc="read pairs", unit="pair")
    ]


def _open(path: str, shape: tuple[int, int], frozen_hash: str) -> Half:
    if file_hash(path) != frozen_hash:
        raise BadFileError(
            path,
            "has changed since the training set was frozen",
            fix="Put the old file back, or freeze a new training set.",
        )
    pixels = map_mrc(path)
    if pixels.shape != (1, *shape):
        raise BadFileError(path, f"has shape {pixels.shape}", expected=f"one image of {shape}")
    return Half(pixels[0], Normalisation.of(pixels[0], name=path))


def crop_side(pairs: Sequence[OpenPair], wanted: int, grid: int) -> int:
    """Return the side of training crops: as wanted, or what the smallest micrograph allows, on the grid.

    Raises
    ------
    UsageError
        When a micrograph is smaller than two grid cells.
    """
    smallest = min(min(pair.even.shape) for pair in pairs)
    side = min(wanted, smallest) // grid * grid
    if side < 2 * grid:
        raise UsageError(
            f"training crops would be {side} px (wanted {wanted} px, smallest micrograph side {smallest} px); "
            f"at least {2 * grid} px are needed."
        )
    return side


def batches(
    pairs: Sequence[OpenPair], *, side: int, size: int, generator: np.random.Generator
) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Give random batches of input and target without end.

    Either half is input or target at random; crops lie anywhere, and are flipped and turned by quarters.
    Every pair is used once before any is used again.

    Parameters
    ----------
    pairs : sequence of OpenPair
        To draw from.
    side : int
        Of the square crops in pixels.
    size : int
        Crops per batch.
    generator : numpy.random.Generator
        Source of all choices.

    Yields
    ------
    tuple of numpy.ndarray
        Input and target, shape ``(size, 1, side, side)`` each.
    """
    queue: list[int] = []
    while True:
        inputs: list[npt.NDArray[np.float32]] = []
        targets: list[npt.NDArray[np.float32]] = []
        for _ in range(size):
            queue = queue or generator.permutation(len(pairs)).tolist()
            pair = pairs[queue.pop()]
            height, width = pair.even.shape
            y, x = (int(generator.integers(0, length - side + 1)) for length in (height, width))
            swap, flip, quarters = generator.integers(0, (2, 2, 4))
            halves = (pair.odd, pair.even) if swap else (pair.even, pair.odd)
            for half, crops in zip(halves, (inputs, targets), strict=True):
                crop = half.crop((y, x), (side, side))
                crops.append(np.rot90(crop[::-1] if flip else crop, int(quarters)))
        yield np.stack(inputs)[:, None], np.stack(targets)[:, None]
