"""Particles found by the Laplacian of Gaussian (LoG), given nothing but their diameter.

The image is averaged down until a particle is about twenty pixels wide, and filtered with a LoG of the
particle's size. Local maxima of the response are candidates. What lies on contamination, large and far
darker than particles, is left out; of the rest, particles stand out higher than the ripples of the
background. All limits are found from the micrograph itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, gaussian_filter, gaussian_laplace, maximum_filter

from .picks import Floats, Picks

_PIXELS_PER_DIAMETER = 18
_SIGMA = 0.35  # of the diameter: the LoG that answers a disc most strongly
_SATURATION = 3.0  # standard deviations of the image beyond which darkness counts no more
_APART = 0.5  # particles are at least this share of the diameter apart
_BLUR, _WIDE = 0.35, 3.0  # sigmas, in diameters, between which contamination stands out; the wide one is background
_OUTLIER = 3.5  # contamination is darker by this many standard deviations
_TOO_FAINT, _TOO_DARK = 0.26, 2.2  # heights of particles, in units of the median particle's
_ROUNDS = 20


def pick_particles(image: npt.NDArray, *, pixel_size: float, diameter: float) -> Picks:
    """Find particles that are darker than the ice around them.

    Parameters
    ----------
    image : numpy.ndarray
        Denoised micrograph, shape ``(height, width)``; protein dark, as in RELION's micrographs.
    pixel_size : float
        In Å/px.
    diameter : float
        Particle diameter in Å; of a long particle, its length.

    Returns
    -------
    Picks
        None of them closer to the edge than half a diameter; their score is the height of the response in standard
        deviations of the background. Empty if there are no particles, or no room for one.
    """
    binning = max(int(diameter / pixel_size / _PIXELS_PER_DIAMETER), 1)
    width = diameter / pixel_size / binning
    small = _averaged(np.asarray(image, dtype=np.float64), binning)
    if min(small.shape) <= width:
        return Picks.none()
    response = _response(small, width)
    rows, columns = _maxima(response, width)
    if not len(rows):
        return Picks.none()
    clean = ~_contaminated(small, width, response, rows, columns)
    rows, columns = rows[clean], columns[clean]
    heights = response[rows, columns]
    low, high = _limits(heights)
    sticking_out = heights >= low
    deviation = _background_deviation(response, rows[sticking_out], columns[sticking_out], width)
    particles = sticking_out & (heights < high)
    rows, columns, score = rows[particles], columns[particles], heights[particles] / deviation
    best_first = np.lexsort((columns, rows, -score))
    centre = (binning - 1) / 2  # of a block of averaged pixels
    y, x = (at[best_first] * binning + centre for at in _refined(response, rows, columns))
    return Picks(x, y, score[best_first])


def _averaged(image: Floats, binning: int) -> Floats:
    height, width = (size // binning for size in image.shape)
    blocks = image[: height * binning, : width * binning].reshape(height, binning, width, binning)
    return blocks.mean(axis=(1, 3))


def _response(image: Floats, width: float) -> Floats:
    """Filter with a LoG; dark blobs of about `width` pixels give high values.

    Darkness saturates first. Denoising makes strong particles stronger and faint ones fainter, but on an
    image almost free of noise it is the shape that tells a particle, not its strength.
    """
    flat = image - gaussian_filter(image, _WIDE * width)
    flat -= np.median(flat)
    scale = _SATURATION * _deviation(flat)
    if scale == 0:
        return np.zeros_like(flat)
    return gaussian_laplace(np.tanh(flat / scale), _SIGMA * width, mode="reflect")


def _maxima(response: Floats, width: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return rows and columns of maxima above zero that are apart and have room for a particle."""
    reach = 2 * round(_APART * width) + 1
    y, x = np.ogrid[:reach, :reach]
    disc = np.hypot(y - reach // 2, x - reach // 2) <= reach // 2
    peaks = (maximum_filter(response, footprint=disc) == response) & (response > 0)
    margin = max(round(width / 2), 1)
    inside = np.zeros_like(peaks)
    inside[margin : peaks.shape[0] - margin, margin : peaks.shape[1] - margin] = True
    rows, columns = np.nonzero(peaks & inside)
    return rows, columns


def _refined(response: Floats, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return the positions of maxima as those of parabolas through each and its neighbours, per axis."""
    middle = response[rows, columns]

    def offset(before: Floats, after: Floats) -> Floats:
        curvature = before - 2 * middle + after
        return np.where(curvature < 0, 0.5 * (before - after) / np.minimum(curvature, -1e-300), 0.0)

    down = offset(response[rows - 1, columns], response[rows + 1, columns])
    right = offset(response[rows, columns - 1], response[rows, columns + 1])
    return rows + down, columns + right


def _contaminated(
    image: Floats, width: float, response: Floats, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
) -> npt.NDArray[np.bool_]:
    """Return which candidates lie where the image, blurred until particles are faint, is far darker than usual.

    Where particles are few, each of them is darker than the rest of the image, so that contamination must also
    be darker than a typical particle.
    """
    blurred = gaussian_filter(image, _WIDE * width) - gaussian_filter(image, _BLUR * width)
    dark = (blurred - np.median(blurred))[rows, columns]
    heights = response[rows, columns]
    low, high = _limits(heights)
    typical = float(np.median(dark[(heights >= low) & (heights < high)]))
    contaminated: npt.NDArray[np.bool_] = dark > max(_OUTLIER * _deviation(blurred), _TOO_DARK * typical)
    return contaminated


def _deviation(values: Floats) -> float:
    """Return a standard deviation that a minority of outliers does not move."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def _background_deviation(
    response: Floats, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], width: float
) -> float:
    """Return the standard deviation of the response outside discs around all that sticks out."""
    background = np.ones(response.shape, dtype=bool)
    background[rows, columns] = False
    apart = distance_transform_edt(background) > width / 2
    return _deviation(response[apart] if apart.any() else response)


def _limits(heights: Floats) -> tuple[float, float]:
    """Return the heights between which candidates are particles, relative to a typical particle's.

    What is typical is first guessed by Otsu's threshold (1979) between ripples and particles, which
    maximises the variance between the two; of square roots, since particles scatter more than ripples. Where
    there are next to no ripples that threshold splits the particles, so the guess is mended until it agrees
    with itself.
    """
    low, high = _between_ripples_and_particles(heights), np.inf
    for _ in range(_ROUNDS):
        typical = float(np.median(heights[(heights >= low) & (heights < high)]))
        new = _TOO_FAINT * typical, _TOO_DARK * typical
        if new == (low, high):
            break
        low, high = new
    return low, high


def _between_ripples_and_particles(heights: Floats) -> float:
    """Return the smallest height of the upper of two classes, by Otsu's threshold on square roots."""
    ordered = np.sort(heights)
    roots = np.sqrt(ordered)
    count = np.arange(1, len(roots))
    if not len(count):
        return float(ordered[0])
    below = np.cumsum(roots)[:-1] / count
    above = (roots.sum() - np.cumsum(roots)[:-1]) / (len(roots) - count)
    between = count * (len(roots) - count) * (above - below) ** 2
    return float(ordered[int(np.argmax(between)) + 1])
