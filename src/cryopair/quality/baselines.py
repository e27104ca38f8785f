"""Linear filters that any denoiser must beat: low-pass by binning, Gaussian, and the best isotropic one (Wiener).

Each is applied to the whole image as if it were continued by its mirror image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.ndimage import gaussian_filter

from ..denoiser.sampling import resample

SIGMAS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
"""Of Gaussians, in pixels."""
FACTORS = (2, 3, 4, 6, 8, 12, 16)
"""Of binning."""

Image = npt.NDArray[np.float32]
Filter = Callable[[Image], Image]


def baselines(even: Image, odd: Image) -> Iterator[tuple[str, str, Filter]]:
    """Give all filters for a micrograph as kind, setting and filter.

    Parameters
    ----------
    even, odd : numpy.ndarray
        Its halves, on which the Wiener filter is fitted; shape ``(height, width)``.
    """
    for factor in FACTORS:
        if min(even.shape) >= 4 * factor:
            yield "binning", f"{factor} times", partial(binned, factor=factor)
    for sigma in SIGMAS:
        yield "Gaussian", f"sigma {sigma:g} px", partial(gaussian_filter, sigma=sigma)
    yield "Wiener", "fitted", wiener(even, odd)


def binned(image: Image, factor: int) -> Image:
    """Bin by cutting the spectrum, and go back to the first grid: a sharp low-pass at Nyquist over `factor`."""
    height, width = image.shape
    return resample(resample(image, (height // factor, width // factor)), (height, width))


def wiener(even: Image, odd: Image) -> Filter:
    """Return the isotropic linear filter of least squares from one half to the other.

    At each frequency it is ``cov(even, odd) / var``: the halves share their signal only, so that this is signal
    over signal plus noise (Bepler et al. 2020 train the same thing as a convolution, their *affine* model).

    Parameters
    ----------
    even, odd : numpy.ndarray
        Halves without mean or background, shape ``(height, width)``.
    """
    rings = _rings(even.shape)
    one, other = (fft.dctn(image, norm="ortho").astype(np.float64) for image in (even, odd))
    shared = np.bincount(rings.ravel(), (one * other).ravel())
    power = np.bincount(rings.ravel(), ((one**2 + other**2) / 2).ravel())
    weights = np.clip(np.divide(shared, power, out=np.zeros_like(shared), where=power > 0), 0, 1)

    def apply(image: Image) -> Image:
        spectrum = fft.dctn(image, norm="ortho") * weights[rings]
        return np.asarray(fft.idctn(spectrum, norm="ortho"), np.float32)

    return apply


def _rings(shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return the number of each coefficient's ring; one is a Fourier pixel of the shorter side wide."""
    y, x = (np.arange(size) / (2 * size) for size in shape)  # in cycles per pixel
    return np.rint(np.hypot(y[:, None], x[None, :]) * min(shape)).astype(np.int64)
