"""How close an image comes to the noise-free truth of a simulation."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter


def snr_db_against_truth(
    image: npt.NDArray, truth: npt.NDArray, *, pixel_size: float, high_pass: float = 400.0
) -> float:
    """Return the signal-to-noise ratio of an image in dB, given its noise-free truth.

    Both lose their background; then ``image = a · truth + b + error`` is fitted by least squares, and the SNR
    is the variance of ``a · truth`` over that of the error. Any positive scale and any offset of the image
    are thus allowed for; blur is not: detail that a denoiser lost counts as error.

    Parameters
    ----------
    image, truth : numpy.ndarray
        Shape ``(height, width)``.
    pixel_size : float
        In Å/px.
    high_pass : float
        Period in Å at which the background removal halves amplitudes.

    Returns
    -------
    float
        In dB; ``-inf`` for an image that does not correlate with the truth.
    """
    image, truth = (_without_background(i, pixel_size=pixel_size, period=high_pass) for i in (image, truth))
    correlation = float(np.corrcoef(image.ravel(), truth.ravel())[0, 1])
    if correlation <= 0:
        return -math.inf
    unexplained = 1 - correlation**2
    return 10 * math.log10(correlation**2 / unexplained) if unexplained > 0 else math.inf


def _without_background(image: npt.NDArray, *, pixel_size: float, period: float) -> npt.NDArray[np.float64]:
    """Subtract a Gaussian blur whose transfer, ``exp(-2π²σ²k²)``, is one half at ``k = 1 / period``."""
    image = np.asarray(image, np.float64)
    sigma = period / pixel_size * math.sqrt(math.log(2) / 2) / math.pi
    return image - gaussian_filter(image, sigma, mode="reflect")
