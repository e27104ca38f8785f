"""A micrograph made ready for picking, and what is the same whichever way the responses were made.

It is averaged down until a particle is some twenty pixels wide, and flattened. Peaks of responses are then looked for,
those on contamination are left out, and of the rest those are believed that stand out from the peaks of the inverted
image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, gaussian_filter

from .peaks import Peaks, believable, find_peaks, refined
from .picks import Floats, Picks

_PIXELS_PER_DIAMETER = 18
_SATURATION = 3.0  # standard deviations of the image beyond which darkness counts no more
_APART = 0.6  # particles are at least this share of the diameter apart
_DECOYS = 0.4  # peaks of the inverted image per particle, for there to be particles at all
_GAPS = 0.6  # and once there are: the gaps between crowded particles are such peaks too
_BLUR, _WIDE = 0.35, 3.0  # sigmas, in diameters, between which contamination stands out; the wide one is background
_OUTLIER = 3.5  # contamination stands out by this many standard deviations
_TOO_DARK = 2.2  # and by this many typical particles


@dataclass(frozen=True)
class Ready:
    """An image that can be picked on.

    Attributes
    ----------
    binning : int
        Pixels of the micrograph per pixel and axis of the image.
    pixel_size : float
        Of the image, in Å/px.
    width, largest : float
        Diameter of the smallest and of the largest particles, in pixels of the image.
    small : numpy.ndarray
        The micrograph, averaged down, shape ``(height, width)``.
    background : numpy.ndarray
        What of it is far wider than particles.
    flat : numpy.ndarray
        The same without its background, between -1 and 1; the median is 0. All zero if the image is constant.
    """

    binning: int
    pixel_size: float
    width: float
    largest: float
    small: Floats
    background: Floats
    flat: Floats

    @property
    def has_room(self) -> bool:
        """Whether a particle fits into the image."""
        return min(self.small.shape) > self.width

    def believed(self, response: Floats, inverse: Floats) -> Peaks:
        """Return the peaks that are particles.

        Parameters
        ----------
        response, inverse : numpy.ndarray
            Responses to the image, and to the inverted image, of the shape of the image.
        """
        apart, margin = _APART * self.width, round(self.width / 2)
        peaks, decoys = (find_peaks(map_, apart=apart, margin=margin) for map_ in (response, inverse))
        dark, near = self._contaminated(peaks.where(peaks.height >= _limit(peaks, decoys)))
        peaks, decoys = peaks.where(~dark[peaks.row, peaks.column]), decoys.where(~near[decoys.row, decoys.column])
        share = _GAPS if np.isfinite(_limit(peaks, decoys)) else _DECOYS
        return peaks.where(peaks.height >= _limit(peaks, decoys, share=share))

    def picks(self, response: Floats, peaks: Peaks, score: Floats) -> Picks:
        """Return peaks in pixels of the micrograph, best first, at the tops of parabolas through the responses."""
        best_first = np.lexsort((peaks.column, peaks.row, -score))
        centre = (self.binning - 1) / 2  # of a block of averaged pixels
        y, x = (at[best_first] * self.binning + centre for at in refined(response, peaks))
        return Picks(x, y, score[best_first])

    def _contaminated(self, particles: Peaks) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Return where the image, blurred until particles are faint, is far darker than usual, and what lies near that.

        Contamination is such, and the edge of the carbon. Near are its bright fringes, which are no ripples that could
        be counted. Where particles are few, each of them is darker than the rest of the image, so that contamination
        must also stand out more than a typical particle.
        """
        blurred = self.background - gaussian_filter(self.small, _BLUR * self.largest)
        blurred -= np.median(blurred)
        typical = float(np.median(blurred[particles.row, particles.column])) if len(particles) else 0.0
        limit = max(_OUTLIER * deviation(blurred), _TOO_DARK * typical)
        outlying = np.abs(blurred) > limit
        near = distance_transform_edt(~outlying) < self.largest / 2 if outlying.any() else outlying
        return blurred > limit, near


def make_ready(image: npt.NDArray, *, pixel_size: float, diameter: float, diameter_max: float | None = None) -> Ready:
    """Average an image down and flatten it.

    Darkness saturates. Denoising makes strong particles stronger and faint ones fainter, but on an image almost free of
    noise it is the shape that tells a particle, not its strength.

    Parameters
    ----------
    image : numpy.ndarray
        Micrograph, best denoised, shape ``(height, width)``; protein dark, as in RELION's micrographs.
    pixel_size : float
        In Å/px.
    diameter, diameter_max : float
        Particle diameter in Å; if they differ in size, that of the smallest and of the largest.
    """
    binning = max(int(diameter / pixel_size / _PIXELS_PER_DIAMETER), 1)
    height, width = (size // binning for size in image.shape)
    blocks = image[: height * binning, : width * binning].reshape(height, binning, width, binning)
    small = blocks.mean(axis=(1, 3), dtype=np.float64)
    narrow, wide = (size / (pixel_size * binning) for size in (diameter, diameter_max or diameter))
    background, flat = np.zeros_like(small), np.zeros_like(small)
    if small.size:
        background = gaussian_filter(small, _WIDE * wide)
        above = small - background
        above -= np.median(above)
        scale = _SATURATION * deviation(above)
        if scale > 1e-9 * np.abs(small).max():
            flat = np.tanh(above / scale)
    return Ready(binning, pixel_size * binning, narrow, wide, small, background, flat)


def deviation(values: Floats) -> float:
    """Return a standard deviation that a minority of outliers does not move."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def _limit(peaks: Peaks, decoys: Peaks, *, share: float = _DECOYS) -> float:
    return believable(peaks.height, decoys.height, share=share)
