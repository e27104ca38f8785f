"""Particles found as discs that are darker than their rim, given nothing but their diameter.

The image is averaged down until a particle is about twenty pixels wide, and filtered with the difference of a rim and
a disc of the particle's size. For the apoferritin of the documentation, whose middle is hollow, such a disc finds
what a Laplacian of Gaussian, which looks at the middle most of all, does not. What lies on contamination, large and far
darker than particles, is left out. How high a maximum must be is learnt from the maxima of the inverted image.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import distance_transform_edt, gaussian_filter

from .peaks import Peaks, believable, find_peaks, refined
from .picks import Floats, Picks

_PIXELS_PER_DIAMETER = 18
_RIM = 0.65  # outer radius of the rim around the disc, in diameters
_SOFT = 0.7  # pixels over which the edges of disc and rim run out
_SIZE_STEP = 1.2  # discs of a range of sizes follow each other by no more than this factor
_SATURATION = 3.0  # standard deviations of the image beyond which darkness counts no more
_APART = 0.6  # particles are at least this share of the diameter apart
_DECOYS = 0.4  # maxima of the inverted image per particle
_BLUR, _WIDE = 0.35, 3.0  # sigmas, in diameters, between which contamination stands out; the wide one is background
_OUTLIER = 3.5  # contamination is darker by this many standard deviations
_TOO_DARK = 2.2  # and than this many typical particles


def pick_blobs(image: npt.NDArray, *, pixel_size: float, diameter: float, diameter_max: float | None = None) -> Picks:
    """Find particles that are darker than the ice around them.

    Parameters
    ----------
    image : numpy.ndarray
        Micrograph, best denoised, shape ``(height, width)``; protein dark, as in RELION's micrographs.
    pixel_size : float
        In Å/px.
    diameter : float
        Particle diameter in Å; of a long particle, its length.
    diameter_max : float, optional
        Diameter of the largest particles in Å, where they differ in size.

    Returns
    -------
    Picks
        None of them closer to the edge than half a diameter; their score is the height of the response in standard
        deviations of the background. Empty if there are no particles, or no room for one.
    """
    binning = max(int(diameter / pixel_size / _PIXELS_PER_DIAMETER), 1)
    small = averaged(np.asarray(image), binning)
    widths = _widths(diameter, diameter_max or diameter) / (pixel_size * binning)
    narrow, wide = widths[0], widths[-1]
    if min(small.shape) <= narrow:
        return Picks.none()
    flat = flattened(small, wide)
    response = np.max([_filtered(flat, width) for width in widths], axis=0)
    inverse = np.max([-_filtered(flat, width) for width in widths], axis=0)
    search = {"apart": _APART * narrow, "margin": round(narrow / 2)}
    peaks, decoys = find_peaks(response, **search), find_peaks(inverse, **search)
    dirty = contaminated(small, wide, peaks.where(peaks.height >= _limit(peaks, decoys)))
    peaks, decoys = (some.where(~dirty[some.row, some.column]) for some in (peaks, decoys))
    peaks = peaks.where(peaks.height >= _limit(peaks, decoys))
    if not len(peaks):
        return Picks.none()
    score = peaks.height / _background_deviation(response, peaks, narrow)
    best_first = np.lexsort((peaks.column, peaks.row, -score))
    centre = (binning - 1) / 2  # of a block of averaged pixels
    y, x = (at[best_first] * binning + centre for at in refined(response, peaks))
    return Picks(x, y, score[best_first])


def averaged(image: npt.NDArray, binning: int) -> Floats:
    """Average blocks of pixels; what does not fill a block is cut off."""
    height, width = (size // binning for size in image.shape)
    blocks = image[: height * binning, : width * binning].reshape(height, binning, width, binning)
    return blocks.mean(axis=(1, 3), dtype=np.float64)


def flattened(image: Floats, width: float) -> Floats:
    """Subtract the background, and let darkness saturate, for particles of `width` pixels.

    Denoising makes strong particles stronger and faint ones fainter, but on an image almost free of noise it is the
    shape that tells a particle, not its strength.

    Returns
    -------
    numpy.ndarray
        Between -1 and 1, with the median at 0; all zero if the image is constant.
    """
    flat = image - gaussian_filter(image, _WIDE * width)
    flat -= np.median(flat)
    scale = _SATURATION * _deviation(flat)
    return np.tanh(flat / scale) if scale > 1e-9 * np.abs(image).max() else np.zeros_like(flat)


def contaminated(image: Floats, width: float, particles: Peaks) -> npt.NDArray[np.bool_]:
    """Return where the image, blurred until particles are faint, is far darker or brighter than usual.

    That is contamination with its bright fringes, or the edge of the carbon, and half a particle around. Where
    particles are few, each of them is darker than the rest of the image, so that contamination must also stand out more
    than a typical particle.
    """
    blurred = gaussian_filter(image, _WIDE * width) - gaussian_filter(image, _BLUR * width)
    blurred -= np.median(blurred)
    typical = float(np.median(blurred[particles.row, particles.column])) if len(particles) else 0.0
    outlying = np.abs(blurred) > max(_OUTLIER * _deviation(blurred), _TOO_DARK * typical)
    return distance_transform_edt(~outlying) < width / 2 if outlying.any() else outlying


def _widths(smallest: float, largest: float) -> Floats:
    """Return the diameters to look for."""
    steps = int(np.ceil(np.log(largest / smallest) / np.log(_SIZE_STEP) - 1e-9))
    return np.geomspace(smallest, largest, steps + 1)


def _filtered(image: Floats, width: float) -> Floats:
    """Return the rim's mean less the disc's around each pixel, in units of what white noise of deviation 1 gives."""
    margin = int(np.ceil(_RIM * width))
    padded = np.pad(image, margin, mode="symmetric")
    shape = [next_fast_len(size, real=True) for size in padded.shape]
    y, x = (np.fft.fftfreq(size, 1 / size) for size in shape)
    radius = np.hypot(y[:, None], x[None, :])
    disc, both = (_soft_disc(radius, share * width) for share in (0.5, _RIM))
    kernel = (both - disc) / (both - disc).sum() - disc / disc.sum()
    kernel /= np.sqrt((kernel**2).sum())
    filtered = irfft2(rfft2(padded, shape) * rfft2(kernel), shape)
    return filtered[margin : margin + image.shape[0], margin : margin + image.shape[1]]


def _soft_disc(radius: Floats, edge: float) -> Floats:
    return np.clip((edge - radius) / (2 * _SOFT) + 0.5, 0, 1)


def _limit(peaks: Peaks, decoys: Peaks) -> float:
    return believable(peaks.height, decoys.height, share=_DECOYS)


def _deviation(values: Floats) -> float:
    """Return a standard deviation that a minority of outliers does not move."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def _background_deviation(response: Floats, peaks: Peaks, width: float) -> float:
    """Return the standard deviation of the response outside discs around the particles."""
    background = np.ones(response.shape, dtype=bool)
    background[peaks.row, peaks.column] = False
    apart = distance_transform_edt(background) > width / 2
    return _deviation(response[apart] if apart.any() else response)
