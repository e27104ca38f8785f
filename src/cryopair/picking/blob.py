"""Particles found as discs that are darker than their rim, given nothing but their diameter.

The image is filtered with the difference of a rim and a disc of the particle's size. For hollow particles such as
apoferritin, such a disc finds what a Laplacian of Gaussian, which looks at the middle most of all, does not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import distance_transform_edt

from .peaks import Peaks
from .picks import Floats, Picks
from .ready import Ready, deviation, make_ready

_RIM = 0.65  # outer radius of the rim around the disc, in diameters
_SOFT = 0.7  # pixels over which the edges of disc and rim run out, either way
_SIZE_STEP = 1.2  # discs of a range of sizes follow each other by no more than this factor


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
    ready = make_ready(image, pixel_size=pixel_size, diameter=diameter, diameter_max=diameter_max)
    if not ready.has_room:
        return Picks.none()
    response, peaks = find_blobs(ready)
    if not len(peaks):
        return Picks.none()
    return ready.picks(response, peaks, peaks.height / _background_deviation(response, peaks, ready.width))


def find_blobs(ready: Ready) -> tuple[Floats, Peaks]:
    """Find particles on an image that is ready.

    Returns
    -------
    response : numpy.ndarray
        Of the disc that fits best, around each pixel.
    peaks : Peaks
        Those that are particles.
    """
    filtered = np.stack([_filtered(ready.flat, width) for width in _widths(ready.width, ready.largest)])
    response, inverse = filtered.max(axis=0), -filtered.min(axis=0)
    return response, ready.believed(response, inverse)


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
    disc, both = (np.clip((share * width - radius) / (2 * _SOFT) + 0.5, 0, 1) for share in (0.5, _RIM))
    kernel = (both - disc) / (both - disc).sum() - disc / disc.sum()
    kernel /= np.sqrt((kernel**2).sum())
    filtered = irfft2(rfft2(padded, shape) * rfft2(kernel), shape)
    return filtered[margin : margin + image.shape[0], margin : margin + image.shape[1]]


def _background_deviation(response: Floats, peaks: Peaks, width: float) -> float:
    """Return the standard deviation of the response outside discs around the particles."""
    background = np.ones(response.shape, dtype=bool)
    background[peaks.row, peaks.column] = False
    apart = distance_transform_edt(background) > width / 2
    return deviation(response[apart] if apart.any() else response)
