"""Rows and columns of the detector that are unlike their neighbours: saturated, dead, or constant.

RELION looks for single hot pixels only. A whole line that is off is the same in both halves, and the denoiser
would learn it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import median_filter

_SEGMENTS = 8  # parts of a line that are judged on their own
_WINDOW = 33  # lines: bands of up to half as many are seen
_MIN_STEP = 0.5  # of the standard deviation of a pixel of the sum; below, a line is hard to see
_MIN_SIGNIFICANCE = 10.0  # in standard deviations of the lines
_CONSTANT = 0.1  # of the variance of the neighbours


@dataclass(frozen=True)
class BadLines:
    """Bad rows and columns of one movie.

    Attributes
    ----------
    rows, columns : tuple of int
        0-based, ascending, in the order in which frames are read.
    """

    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rows or self.columns)

    def __str__(self) -> str:
        """``rows 12-13 and column 511``; empty when there are none."""
        named = (("row", self.rows), ("column", self.columns))
        return " and ".join(f"{name}{'s' * (len(lines) > 1)} {_ranges(lines)}" for name, lines in named if lines)

    def mark(self, mask: npt.NDArray[np.bool_]) -> None:
        """Set the lines true in a mask of shape ``(height, width)``."""
        mask[list(self.rows)] = True
        mask[:, list(self.columns)] = True


def find_bad_lines(total: npt.NDArray[np.float32] | torch.Tensor) -> BadLines:
    """Find rows and columns that differ from their neighbours over most of their length.

    Every line is cut into eight segments, so that neither a bead nor the edge of a hole decides. A line is bad
    where, in the median of its segments, the mean is away from the running median of the lines around it by
    half a pixel's standard deviation and by ten times the scatter of the lines, or the variance
    is less than a tenth of theirs.

    Parameters
    ----------
    total : numpy.ndarray or torch.Tensor
        Sum of the frames as they came off the detector, not aligned, with gain and known bad pixels
        corrected, shape ``(height, width)``, on any device.
    """
    image = torch.as_tensor(total)
    image = image - image.mean()  # so that squares stay small
    squares = image.square()
    return BadLines(rows=_bad_lines(image, squares), columns=_bad_lines(image.T, squares.T))


def _bad_lines(image: torch.Tensor, squares: torch.Tensor) -> tuple[int, ...]:
    """Return the bad rows of an image."""
    means = _segment_means(image)
    variances = _segment_means(squares) - means**2
    usual_variances = _of_neighbours(variances)
    noise = float(np.sqrt(np.median(variances)))
    step = np.abs(np.median(means - _of_neighbours(means), axis=0))
    scatter = 1.4826 * float(np.median(step))
    off = (step > _MIN_STEP * noise) & (step > _MIN_SIGNIFICANCE * scatter)
    constant = np.median(variances < _CONSTANT * usual_variances, axis=0) > 0.5
    return tuple(int(row) for row in np.flatnonzero(off | constant))


def _segment_means(image: torch.Tensor) -> npt.NDArray[np.float32]:
    """Return the means of the rows' segments, shape ``(segments, rows)``."""
    segments = image.tensor_split(min(_SEGMENTS, image.shape[1]), dim=1)
    return torch.stack([segment.mean(dim=1) for segment in segments]).cpu().numpy()


def _of_neighbours(lines: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the running median over the last axis."""
    return median_filter(lines, size=(1, min(_WINDOW, lines.shape[1])), mode="reflect")


def _ranges(numbers: tuple[int, ...]) -> str:
    """Write ascending numbers as ``3, 12-13``."""
    groups = (list(group) for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]))
    return ", ".join(f"{group[0][1]}-{group[-1][1]}" if len(group) > 1 else f"{group[0][1]}" for group in groups)
