"""What a micrograph itself shows of its exposure: how bright it is, and how much of it is not ice.

Carbon and contamination let fewer electrons through than ice. Ice has the level of a smooth surface, the beam, which is
found as the quadratic surface that fits one half of the image best, whatever the other half shows; what is much
darker than that, over 60 Å and more, is not ice. (Of an image that is more than half carbon, the carbon is taken for
ice: its intensity is what is unusual.) If it lies along a good part of the border, it is the carbon film;
else, contamination.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

BLOCK = 60.0
"""Side in Å of the blocks whose mean is looked at."""
DARK = 0.05
"""What is not ice is darker than ice by this share at least (a film of carbon of 200 Å: 0.12) …"""
DARK_STD = 5.0
"""… and by this many robust standard deviations of the blocks of ice."""
ALONG_THE_BORDER = 0.08
"""Dark regions that cover this share of the border or more are carbon."""

_SMALLEST = 3  # blocks that make a piece of contamination; less is a dense particle
_SMOOTHING = 0.7  # blocks
_FEWEST = 8  # blocks along each side, to tell a surface
_ROUNDS = 15
_TUKEY = 4.685
_SHARE, _QUANTILE = 0.3, 0.385  # P(|x| < 0.385) = 0.3 for a Gaussian: a scale that holds if only a third is ice
_GAUSSIAN_MAD = 0.6745
_CLOSEST = 0.5  # of the blocks, by which fits are compared

Blocks = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Exposure:
    """What a micrograph shows of its exposure.

    Attributes
    ----------
    intensity : float
        Median of its pixels, in its grey levels (counts per pixel, if it was not scaled): falls with thicker ice, a
        weaker beam, or another gain.
    contamination, carbon : float
        Shares of its area.
    """

    intensity: float
    contamination: float
    carbon: float


def exposure_columns(image: npt.NDArray, *, pixel_size: float) -> dict[str, object]:
    """Return the values of the columns of a micrographs STAR that `measure_exposure` gives."""
    exposure = measure_exposure(image, pixel_size=pixel_size)
    return {
        "cryopairIntensity": exposure.intensity,
        "cryopairContamination": exposure.contamination,
        "cryopairCarbon": exposure.carbon,
    }


def measure_exposure(image: npt.NDArray, *, pixel_size: float) -> Exposure:
    """Measure a raw micrograph.

    Parameters
    ----------
    image : numpy.ndarray
        Shape ``(height, width)``. Of an image whose mean was taken away only the second criterion of darkness holds.
    pixel_size : float
        In Å/px.
    """
    side = max(1, round(BLOCK / pixel_size))
    rows, columns = (size // side for size in image.shape)
    intensity = float(np.median(image[::4, ::4]))
    if min(rows, columns) < _FEWEST:
        return Exposure(intensity, 0.0, 0.0)
    blocks = image[: rows * side, : columns * side].reshape(rows, side, columns, side)
    means: Blocks = blocks.mean(axis=(1, 3), dtype=np.float64)
    beyond = ndimage.gaussian_filter(means - _ice(means), _SMOOTHING)
    brighter = beyond[beyond > 0]
    spread = float(np.median(brighter)) / _GAUSSIAN_MAD if len(brighter) else 0.0
    dark = beyond < -max(DARK_STD * spread, DARK * float(np.median(means)))
    labels, count = ndimage.label(dark)
    carbon = contamination = 0
    for number in range(1, count + 1):
        region = labels == number
        if _border_share(region) >= ALONG_THE_BORDER:
            carbon += int(region.sum())
        elif region.sum() >= _SMALLEST:
            contamination += int(region.sum())
    return Exposure(intensity, contamination / means.size, carbon / means.size)


def _ice(means: Blocks) -> Blocks:
    """Return the level of ice over the image: of several fits, the one that comes closest to most of the blocks.

    Each starts from a plane through another part of the image, so that one of them starts on ice only, and goes on
    as a quadratic surface fitted with Tukey's biweight.
    """
    rows, columns = means.shape
    y = np.repeat(np.linspace(-1, 1, rows), columns)
    x = np.tile(np.linspace(-1, 1, columns), rows)
    plane = np.stack([np.ones_like(x), x, y], axis=1)
    surface = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    values = means.ravel()
    best, level = np.inf, np.zeros_like(values)
    for part in _parts(x, y):
        weights = part.astype(np.float64)
        for _ in range(_ROUNDS):  # least absolute deviations
            residual = np.abs(values - _fit(plane, values, weights))
            weights = part / np.maximum(residual, 0.1 * np.median(residual[part]) + 1e-12)
        weights = part.astype(np.float64) * (residual <= np.median(residual[part]) * _TUKEY / _GAUSSIAN_MAD)
        for _ in range(_ROUNDS):
            fitted = _fit(surface, values, weights)
            residual = np.abs(values - fitted)
            scale = np.quantile(residual, _SHARE) / _QUANTILE + 1e-12
            weights = np.clip(1 - (residual / (_TUKEY * scale)) ** 2, 0, None) ** 2
        closest = np.sort(residual)[: int(_CLOSEST * len(residual))]
        error = float(closest @ closest)
        if error < best:
            best, level = error, fitted
    return level.reshape(means.shape)


def _parts(x: Blocks, y: Blocks) -> Iterator[npt.NDArray[np.bool_]]:
    """Give the whole image, its halves along both axes and diagonals, and its quarters."""
    yield np.ones(x.shape, dtype=bool)
    for across in (x, y, x + y, x - y):
        yield across < 0
        yield across > 0
    for left in (x < 0, x > 0):
        yield left & (y < 0)
        yield left & (y > 0)


def _fit(basis: Blocks, values: Blocks, weights: Blocks) -> Blocks:
    """Return what a weighted least-squares fit makes of the values."""
    weighted = basis * weights[:, None]
    ridge = 1e-9 * np.trace(weighted.T @ basis) * np.eye(basis.shape[1])
    solution = np.linalg.solve(weighted.T @ basis + ridge, weighted.T @ values)
    return np.asarray(basis @ solution, np.float64)


def _border_share(region: npt.NDArray[np.bool_]) -> float:
    edges = region[0].sum() + region[-1].sum() + region[:, 0].sum() + region[:, -1].sum()
    return float(edges) / (2 * sum(region.shape))
