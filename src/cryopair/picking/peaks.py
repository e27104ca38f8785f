"""Peaks of a map of responses, and how many of them can be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter

from .picks import Floats


@dataclass(frozen=True)
class Peaks:
    """Local maxima of a map.

    Attributes
    ----------
    row, column : numpy.ndarray
        Whole pixels of the map, shape ``(peaks,)``.
    height : numpy.ndarray
        The map's values there, all above zero.
    """

    row: npt.NDArray[np.intp]
    column: npt.NDArray[np.intp]
    height: Floats

    def __len__(self) -> int:
        return len(self.row)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Peaks:
        """Return some of the peaks."""
        return Peaks(self.row[chosen], self.column[chosen], self.height[chosen])


def find_peaks(response: Floats, *, apart: float, margin: int) -> Peaks:
    """Find maxima above zero that no higher value lies near.

    Parameters
    ----------
    response : numpy.ndarray
        The map, shape ``(height, width)``.
    apart : float
        In pixels: nothing within this distance is higher.
    margin : int
        Nothing is looked for within this many pixels of the edge, at least one.
    """
    reach = max(int(apart), 1)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.hypot(y, x) <= max(apart, 1)
    square = 2 * int(reach / np.sqrt(2)) + 1  # fits into the disc, and its maxima take a fraction of the time
    top = maximum_filter(response, size=square) == response
    margin = max(margin, 1)
    inside = np.zeros_like(top)
    inside[margin : top.shape[0] - margin, margin : top.shape[1] - margin] = True
    row, column = np.nonzero(top & inside & (response > 0))
    around = np.pad(response, reach, constant_values=-np.inf)
    near = around[row[:, None] + y[disc] + reach, column[:, None] + x[disc] + reach]
    height = response[row, column]
    highest = near.max(axis=1, initial=-np.inf) <= height
    return Peaks(row[highest], column[highest], height[highest].astype(np.float64))


def refined(response: Floats, peaks: Peaks) -> tuple[Floats, Floats]:
    """Return rows and columns of the tops of parabolas through each peak and its neighbours, per axis."""
    row, column = peaks.row, peaks.column

    def offset(before: Floats, after: Floats) -> Floats:
        curvature = before - 2 * peaks.height + after
        return np.where(curvature < 0, 0.5 * (before - after) / np.minimum(curvature, -1e-300), 0.0)

    down = offset(response[row - 1, column], response[row + 1, column])
    right = offset(response[row, column - 1], response[row, column + 1])
    return row + down, column + right


def believable(targets: Floats, decoys: Floats, *, share: float) -> float:
    """Return the height from which peaks are believed, by counting decoys.

    Ripples of noise are as often bright as dark, particles are always dark. So the peaks of the inverted image tell
    how many of the others are ripples, at every height (target-decoy search, as in proteomics). The limit is the
    lowest at which the decoys are no more than a share of the targets.

    Parameters
    ----------
    targets, decoys : numpy.ndarray
        Heights of the peaks of a map and of its negative.
    share : float
        Decoys per target that are tolerated.

    Returns
    -------
    float
        Infinite if there is no such height, as where an image holds nothing but noise.
    """
    height = np.sort(targets)[::-1]
    above = np.searchsorted(-np.sort(decoys)[::-1], -height, side="right")
    good = np.flatnonzero(above <= share * np.arange(1, len(height) + 1))
    return float(height[good[-1]]) if len(good) else float("inf")
