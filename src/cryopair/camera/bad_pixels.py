"""Hot, dead and defective pixels: found, and replaced by good neighbours, anew in every frame.

The draws are independent from frame to frame. If both halves got the same replacement, it would be a
signal common to both, and the denoiser would learn it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ..errors import BadFileError
from ..motion import Motion
from .bad_lines import BadLines
from .defects import read_defects

REACH, EER_REACH = 2, 4
"""RELION looks for neighbours in the 5 x 5 window around a bad pixel, in EER movies in the 9 x 9 window."""
_MIN_GOOD = 7  # it takes no neighbour if fewer are good
_SAMPLE = 100_000  # good pixels that tell a frame's mean and standard deviation


class BadPixels:
    """The bad pixels of one movie and their good neighbours.

    Parameters
    ----------
    mask : numpy.ndarray
        Shape ``(height, width)``; true where a pixel is bad.
    seed : str
        Names the stream of random numbers; the movie's name, so that results do not depend on the order
        in which movies are processed.
    reach : int
        Neighbours are taken from so many rows and columns around.

    Attributes
    ----------
    pixels : numpy.ndarray
        Flat indices of the bad pixels, in raster order.
    """

    def __init__(self, mask: npt.NDArray[np.bool_], *, seed: str, reach: int = REACH) -> None:
        height, width = mask.shape
        rows, columns = np.nonzero(mask)
        steps = np.arange(-reach, reach + 1)
        near_rows = rows[:, None, None] + steps[:, None]
        near_columns = columns[:, None, None] + steps[None, :]
        inside = (near_rows >= 0) & (near_rows < height) & (near_columns >= 0) & (near_columns < width)
        flat = np.clip(near_rows, 0, height - 1) * width + np.clip(near_columns, 0, width - 1)
        good = (inside & ~mask.reshape(-1)[flat]).reshape(len(rows), steps.size**2)
        good_first = np.argsort(~good, axis=1, kind="stable")
        self._neighbours = np.take_along_axis(flat.reshape(good.shape), good_first, axis=1)
        self._good = good.sum(axis=1)
        self.pixels = rows * width + columns
        self._isolated = self._good < _MIN_GOOD
        spread = np.arange(0, mask.size, max(mask.size // _SAMPLE, 1))
        self._sample = spread[~mask.reshape(-1)[spread]]
        self._random = np.random.default_rng(list(hashlib.sha256(seed.encode()).digest()))

    def __len__(self) -> int:
        return len(self.pixels)

    def replace(self, frame: npt.NDArray[np.float32] | torch.Tensor) -> None:
        """Replace the bad pixels of a frame in place.

        Each takes the value of a random good neighbour of the window around it, as in RELION. Where fewer
        than seven are good, inside a large defect, it gets Gaussian noise with the mean and standard
        deviation of the frame's good pixels.

        Parameters
        ----------
        frame : numpy.ndarray or torch.Tensor
            Shape ``(height, width)``, contiguous, on any device.
        """
        if not len(self):
            return
        values = torch.as_tensor(frame).view(-1)  # shares the memory of an array
        chosen = self._random.integers(np.maximum(self._good, 1))
        replacement = values[self._on(values, self._neighbours[np.arange(len(self)), chosen])]
        if self._isolated.any():
            good = values[self._on(values, self._sample)]
            noise = self._random.normal(float(good.mean()), float(good.std()), int(self._isolated.sum()))
            replacement[self._on(values, self._isolated)] = self._on(values, noise).to(values.dtype)
        values[self._on(values, self.pixels)] = replacement

    @staticmethod
    def _on(values: torch.Tensor, array: npt.NDArray) -> torch.Tensor:
        return torch.from_numpy(array).to(values.device)


def find_bad_pixels(
    motion: Motion, gain: npt.NDArray[np.float32] | None, root: Path, *, lines: BadLines | None = None
) -> BadPixels:
    """Collect a movie's bad pixels: hot ones listed by RELION, the defect file, gain 0, and bad lines.

    RELION lists only those that exceed its threshold; the others must be added again
    (``motioncorr_runner.cpp``).

    Raises
    ------
    BadFileError
        When a hot pixel lies outside the frame, or the defect file cannot be read.
    """
    shape = motion.height, motion.width
    mask = np.zeros(shape, dtype=bool)
    x, y = motion.hot_pixels[:, 0], motion.hot_pixels[:, 1]
    if len(x) and not (x.min() >= 0 and x.max() < motion.width and y.min() >= 0 and y.max() < motion.height):
        raise BadFileError(
            motion.movie, "has hot pixels listed outside the frame", expected=f"{motion.width} x {motion.height} px"
        )
    mask[y, x] = True
    if motion.defects:
        mask |= read_defects(root / motion.defects, shape)
    if gain is not None:
        mask |= gain == 0
    if lines:
        lines.mark(mask)
    return BadPixels(mask, seed=motion.movie, reach=REACH if motion.eer is None else EER_REACH)
