"""Hot, dead and defective pixels: found, and replaced by good neighbours, anew in every frame.

The draws are independent from frame to frame. If both halves got the same replacement, it would be a
signal common to both, and the denoiser would learn it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadFileError
from ..formats.mrc import read_mrc
from ..motion.model import Motion

_REACH = 2  # RELION looks at the 5 x 5 window
_MIN_GOOD = 7  # and takes no neighbour if fewer are good


class BadPixels:
    """The bad pixels of one movie and their good neighbours.

    Parameters
    ----------
    mask : numpy.ndarray
        Shape ``(height, width)``; true where a pixel is bad.
    seed : str
        Names the stream of random numbers; the movie's name, so that results do not depend on the order
        in which movies are processed.

    Attributes
    ----------
    pixels : numpy.ndarray
        Flat indices of the bad pixels, in raster order.
    """

    def __init__(self, mask: npt.NDArray[np.bool_], *, seed: str) -> None:
        height, width = mask.shape
        rows, columns = np.nonzero(mask)
        steps = np.arange(-_REACH, _REACH + 1)
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
        self._good_pixels = np.flatnonzero(~mask) if self._isolated.any() else np.zeros(0, np.int64)
        self._random = np.random.default_rng(list(hashlib.sha256(seed.encode()).digest()))

    def __len__(self) -> int:
        return len(self.pixels)

    def replace(self, frame: npt.NDArray[np.float32]) -> None:
        """Replace the bad pixels of a frame in place.

        Each takes the value of a random good neighbour of the 5 x 5 window around it, as in RELION. Where
        fewer than seven are good, inside a large defect, it gets Gaussian noise with the mean and standard
        deviation of the frame's good pixels.

        Parameters
        ----------
        frame : numpy.ndarray
            Shape ``(height, width)``, contiguous.
        """
        if not len(self):
            return
        values = frame.reshape(-1)
        chosen = self._random.integers(np.maximum(self._good, 1))
        replacement = values[self._neighbours[np.arange(len(self)), chosen]]
        if self._isolated.any():
            good = values[self._good_pixels]
            replacement[self._isolated] = self._random.normal(good.mean(), good.std(), int(self._isolated.sum()))
        values[self.pixels] = replacement


def find_bad_pixels(motion: Motion, gain: npt.NDArray[np.float32] | None, root: Path) -> BadPixels:
    """Collect a movie's bad pixels: hot ones listed by RELION, the defect file, and gain 0.

    RELION lists only those that exceed its threshold; the others must be added again
    (``motioncorr_runner.cpp``).

    Raises
    ------
    BadFileError
        When a hot pixel lies outside the frame, or the defect file cannot be read.
    """
    mask = np.zeros((motion.height, motion.width), dtype=bool)
    x, y = motion.hot_pixels[:, 0], motion.hot_pixels[:, 1]
    if len(x) and not (x.min() >= 0 and x.max() < motion.width and y.min() >= 0 and y.max() < motion.height):
        raise BadFileError(
            motion.movie, "has hot pixels listed outside the frame", expected=f"{motion.width} x {motion.height} px"
        )
    mask[y, x] = True
    if motion.defects:
        mask |= _read_defects(root / motion.defects, mask.shape)
    if gain is not None:
        mask |= gain == 0
    return BadPixels(mask, seed=motion.movie)


def _read_defects(path: Path, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Read ``x y width height`` lines (``.txt``) or an image whose non-zero pixels are bad."""
    if path.suffix.lower() != ".txt":
        image = read_mrc(path) != 0
        if image.shape != shape:
            raise BadFileError(path, f"is a defect map of shape {image.shape}", expected=f"{shape}")
        return image
    if not path.is_file():
        raise BadFileError(path, "no such file", expected="the defect file named in the motion STAR")
    mask = np.zeros(shape, dtype=bool)
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            x, y, width, height = (int(word) for word in line.split()[:4])
        except ValueError:
            raise BadFileError(path, f"line {number} is '{line}'", expected="'x y width height'") from None
        mask[max(y, 0) : y + height, max(x, 0) : x + width] = True
    return mask
