"""Coordinates that count rows from the other end, told by what the micrographs show at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import KDTree

from ...formats.coordinates import Floats

_ENOUGH = 30  # particles
_SURE = 5.0  # standard errors
_PIXELS_PER_DIAMETER = 8
_NEAR, _AROUND = 0.25, 0.75  # sigmas in diameters, of a particle and of what is around it


@dataclass(frozen=True)
class Contrast:
    """How much the micrographs differ at the picks from what is around them, over all picks.

    Above 0 is darker, as solid particles are; the centres of hollow ones may be brighter. Either tells particles from
    nothing.

    Attributes
    ----------
    picks : int
        How many were looked at.
    here : float
        Mean contrast at the picks, in its standard errors.
    turned : float
        The same at the picks turned upside down.
    difference : float
        Mean of the differences between the two, in its standard errors.
    """

    picks: int
    here: float
    turned: float
    difference: float

    @property
    def upside_down(self) -> bool:
        """Whether the picks lie on particles only when they are turned upside down."""
        stands_out = abs(self.turned) > max(_SURE, abs(self.here))
        return self.picks >= _ENOUGH and stands_out and abs(self.difference) > _SURE

    @property
    def on_nothing(self) -> bool:
        """Whether there is nothing at the picks, either way."""
        return self.picks >= _ENOUGH and max(abs(self.here), abs(self.turned)) < _SURE / 2


def measure_contrast(images: Sequence[tuple[npt.NDArray, Floats, Floats]], *, diameter: float | None) -> Contrast:
    """Compare the micrographs at the picks and at the picks turned upside down.

    Parameters
    ----------
    images : sequence of tuple
        Micrographs, denoised if possible, shape ``(height, width)``, each with the columns and rows of its picks.
    diameter : float, optional
        Of the particles, in pixels; half of the usual distance between neighbours if not given.
    """
    here, turned = [np.zeros(0)], [np.zeros(0)]
    width = diameter or _spacing(images) / 2
    binning = max(int(width / _PIXELS_PER_DIAMETER), 1)
    for image, x, y in images:
        height = image.shape[0]
        response = _darkness(image, binning, width / binning)
        here.append(_at(response, x, y, binning))
        turned.append(_at(response, x, height - 1 - y, binning))
    at_picks, at_turned = np.concatenate(here), np.concatenate(turned)
    return Contrast(len(at_picks), _in_errors(at_picks), _in_errors(at_turned), _in_errors(at_picks - at_turned))


def _spacing(images: Sequence[tuple[npt.NDArray, Floats, Floats]]) -> float:
    """Return the median distance between nearest neighbours in pixels."""
    distances = [
        KDTree(np.column_stack([x, y])).query(np.column_stack([x, y]), k=2)[0][:, 1] for _, x, y in images if len(x) > 1
    ]
    return float(np.median(np.concatenate(distances))) if distances else 2.0 * _PIXELS_PER_DIAMETER


def _darkness(image: npt.NDArray, binning: int, width: float) -> Floats:
    """Return how much darker each place is than its surroundings, in robust standard deviations."""
    height, columns = (side // binning * binning for side in image.shape)
    blocks = np.asarray(image[:height, :columns], dtype=np.float64)
    small = blocks.reshape(height // binning, binning, columns // binning, binning).mean(axis=(1, 3))
    response = gaussian_filter(small, _AROUND * width) - gaussian_filter(small, _NEAR * width)
    deviation = 1.4826 * float(np.median(np.abs(response - np.median(response))))
    return np.clip(response / (deviation or 1.0), -10, 10)  # contamination shall not outweigh the rest


def _at(response: Floats, x: Floats, y: Floats, binning: int) -> Floats:
    centre = (binning - 1) / 2
    values: Floats = map_coordinates(
        response, [(y - centre) / binning, (x - centre) / binning], order=1, mode="nearest"
    )
    return values


def _in_errors(values: Floats) -> float:
    """Return the mean of values in its standard errors; 0 for too few."""
    if len(values) < 2:
        return 0.0
    error = float(values.std(ddof=1)) / np.sqrt(len(values))
    return float(values.mean()) / error if error else 0.0
