"""Grey levels that a network can work on: background removed, noise of unit size, for a whole micrograph at once.

The background has two parts. The illumination: its gradient is often larger than any particle, differs from
movie to movie and is identical in both halves, so that a network would have to learn it as signal. It is
modelled by a low-order polynomial, fitted robustly so that carbon, ice and dirt do not steer it. And the coarse
shape of what stands out far beyond any particle, such as contamination: a few specks of it would outweigh all
particles in the training loss. Nothing is lost, since the background is given back after denoising.

Everything is measured once over the whole micrograph, never per tile: tiles normalised each by themselves show
seams.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadFileError

ORDER = 3
"""Total degree of the background polynomial: enough for a beam off centre, too stiff to follow particles."""
CLAMP = 8.0
"""Input is clamped to this many standard deviations: hot pixels and dirt carry no more weight than that."""

STANDS_OUT = 3.0
"""Block means this many robust standard deviations off the polynomial are cut down to that, as background."""

_BLOCKS = 48  # block means along the shorter side, on which the background is fitted
_SAMPLES = 1 << 18  # pixels from which the standard deviation is estimated, at least: to a part in 500
_ROUNDS = 20
_TUKEY = 4.685  # tuning constant of the biweight: 95 % efficiency for Gaussian residuals
_GAUSSIAN_MAD = 0.6745  # median absolute deviation of a Gaussian of unit standard deviation


@dataclass(frozen=True, eq=False)
class Normalisation:
    """Background and noise level of one micrograph.

    Attributes
    ----------
    shape : tuple of int
        ``(height, width)`` of the micrograph.
    coefficients : numpy.ndarray
        Legendre coefficients of the background, shape ``(ORDER + 1, ORDER + 1)``, over ``[-1, 1]`` along
        ``(y, x)``.
    outstanding : numpy.ndarray
        What block means exceed `STANDS_OUT` by, shape ``(rows, columns)``; interpolated linearly between
        the centres of blocks.
    scale : float
        Robust standard deviation of the pixels about the background.
    """

    shape: tuple[int, int]
    coefficients: npt.NDArray[np.float64]
    outstanding: npt.NDArray[np.float64]
    scale: float

    @classmethod
    def of(cls, image: npt.NDArray, *, name: str | Path = "image") -> Normalisation:
        """Measure the background and the noise level of a micrograph.

        Parameters
        ----------
        image : numpy.ndarray
            The whole micrograph, shape ``(height, width)``.
        name : str or Path
            What to call it in an error.

        Raises
        ------
        BadFileError
            When it has NaN or infinite pixels, or is constant.
        """
        height, width = image.shape
        if not np.isfinite(image).all():
            raise BadFileError(name, "has pixels that are NaN or infinite", fix="Make its sums again.")
        block = max(1, min(height, width) // _BLOCKS)
        means = _block_means(image, block)
        coefficients = _fit_polynomial(means, image.shape, block)
        beyond = means - _polynomial(coefficients, *_block_centres(image.shape, means.shape, block))
        limit = STANDS_OUT * np.median(np.abs(beyond)) / _GAUSSIAN_MAD
        background = cls((height, width), coefficients, beyond - np.clip(beyond, -limit, limit), 1.0)
        step = max(1, int((height * width / _SAMPLES) ** 0.5))
        sample = image[::step, ::step] - background.background()[::step, ::step]
        low, high = np.percentile(sample, (15.865, 84.135))
        scale = float(high - low) / 2
        if not scale > 1e-6 * float(np.abs(image).max()):
            raise BadFileError(name, "is constant", expected="a micrograph", fix="Check the frames of its movie.")
        return replace(background, scale=scale)

    def background(
        self, *, origin: tuple[int, int] = (0, 0), shape: tuple[int, int] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the background of a region, by default of the whole micrograph, in its grey levels."""
        height, width = shape or self.shape
        y = _axis(self.shape[0], origin[0], height)
        x = _axis(self.shape[1], origin[1], width)
        smooth = _polynomial(self.coefficients, y, x)
        if self.outstanding.any():
            rows, columns = self.outstanding.shape
            block = max(1, min(self.shape) // _BLOCKS)
            centres_y, centres_x = _block_centres(self.shape, (rows, columns), block)
            smooth += _hats(y, centres_y) @ self.outstanding @ _hats(x, centres_x).T
        return smooth.astype(np.float32)

    def apply(self, image: npt.NDArray, *, origin: tuple[int, int] = (0, 0)) -> npt.NDArray[np.float32]:
        """Return a region with the background removed, the noise of unit size, and extremes clamped.

        Parameters
        ----------
        image : numpy.ndarray
            A region of the micrograph (or all of it), shape ``(height, width)``.
        origin : tuple of int
            Row and column of the region's first pixel in the micrograph.
        """
        background = self.background(origin=origin, shape=(image.shape[0], image.shape[1]))
        normalised = (image.astype(np.float32, copy=False) - background) / np.float32(self.scale)
        return np.clip(normalised, -CLAMP, CLAMP, out=normalised)

    def undo(self, normalised: npt.NDArray, *, origin: tuple[int, int] = (0, 0)) -> npt.NDArray[np.float32]:
        """Return a normalised region in the grey levels of the micrograph, background restored."""
        background = self.background(origin=origin, shape=(normalised.shape[0], normalised.shape[1]))
        return normalised.astype(np.float32, copy=False) * np.float32(self.scale) + background


def _block_means(image: npt.NDArray, block: int) -> npt.NDArray[np.float64]:
    """Average over squares of `block` pixels, shape ``(rows, columns)``; what is left over at the ends is not used."""
    rows, columns = image.shape[0] // block, image.shape[1] // block
    blocks = image[: rows * block, : columns * block].reshape(rows, block, columns, block)
    means: npt.NDArray[np.float64] = blocks.mean(axis=(1, 3), dtype=np.float64)
    return means


def _fit_polynomial(means: npt.NDArray[np.float64], shape: tuple[int, ...], block: int) -> npt.NDArray[np.float64]:
    """Fit the Legendre polynomial to block means by iteratively reweighted least squares.

    The first rounds weigh by 1/|residual| (least absolute deviations: convex, so the start does not
    matter), the others by Tukey's biweight, which leaves out what is not background.
    """
    centre, spread = means.mean(), means.std()  # so that nothing below depends on the grey scale
    orders = [(i, j) for i in range(ORDER + 1) for j in range(ORDER + 1 - i)]
    coefficients = np.zeros((ORDER + 1, ORDER + 1))
    if not spread > 0 or means.size <= len(orders):
        coefficients[0, 0] = centre
        return coefficients
    values = (means.ravel() - centre) / spread
    y, x = _block_centres(shape, means.shape, block)
    legendre_y, legendre_x = (np.polynomial.legendre.legvander(axis, ORDER) for axis in (y, x))
    basis = np.stack([np.outer(legendre_y[:, i], legendre_x[:, j]).ravel() for i, j in orders], axis=1)
    weights = np.ones_like(values)
    for iteration in range(_ROUNDS):
        root = np.sqrt(weights)
        solution = np.linalg.lstsq(basis * root[:, None], values * root, rcond=None)[0]
        residual = np.abs(values - basis @ solution)
        spread_left = np.median(residual) / _GAUSSIAN_MAD
        if spread_left < 1e-9:
            break
        if iteration < _ROUNDS // 2:
            weights = 1 / np.maximum(residual, 0.1 * spread_left)
        else:
            weights = np.clip(1 - (residual / (_TUKEY * spread_left)) ** 2, 0, None) ** 2
    for (i, j), value in zip(orders, solution, strict=True):
        coefficients[i, j] = value * spread
    coefficients[0, 0] += centre
    return coefficients


def _axis(size: int, start: float, count: int, step: int = 1) -> npt.NDArray[np.float64]:
    """Pixel centres ``start, start + step, ...`` of an axis of `size` pixels, as coordinates in [-1, 1]."""
    return (2 * (start + step * np.arange(count)) + 1) / size - 1


def _block_centres(
    shape: tuple[int, ...], blocks: tuple[int, ...], block: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Coordinates of the centres of blocks along y and x, in [-1, 1]."""
    middle = (block - 1) / 2
    return _axis(shape[0], middle, blocks[0], block), _axis(shape[1], middle, blocks[1], block)


def _polynomial(
    coefficients: npt.NDArray[np.float64], y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Evaluate the polynomial at all pairs of `y` and `x`, shape ``(len(y), len(x))``."""
    legendre_y, legendre_x = (np.polynomial.legendre.legvander(axis, ORDER) for axis in (y, x))
    return legendre_y @ coefficients @ legendre_x.T


def _hats(at: npt.NDArray[np.float64], centres: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weights of linear interpolation between `centres`, constant beyond, shape ``(len(at), len(centres))``."""
    place = np.interp(at, centres, np.arange(len(centres)))
    return np.clip(1 - np.abs(place[:, None] - np.arange(len(centres))), 0, None)
