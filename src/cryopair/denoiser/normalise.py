"""Grey levels that a network can work on: background removed, noise of unit size, for a whole micrograph at once.

The background is the illumination: its gradient is often larger than any particle, differs from movie to
movie and is identical in both halves, so that a network would have to learn it as signal. It is modelled by
a low-order polynomial, fitted robustly so that carbon, ice and dirt do not steer it. Everything is measured
once over the whole micrograph, never per tile: tiles normalised each by themselves show seams.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadFileError

ORDER = 3
"""Total degree of the background polynomial: enough for a beam off centre, too stiff to follow particles."""
CLAMP = 8.0
"""Input is clamped to this many standard deviations: hot pixels and dirt carry no more weight than that."""

_BLOCKS = 32  # block means along the shorter side, on which the background is fitted
_SAMPLES = 1 << 20  # pixels from which the standard deviation is estimated, at least
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
    scale : float
        Robust standard deviation of the pixels about the background.
    """

    shape: tuple[int, int]
    coefficients: npt.NDArray[np.float64]
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
        coefficients = _fit_background(image)
        step = max(1, int((height * width / _SAMPLES) ** 0.5))
        background = _evaluate(coefficients, _axis(height, 0, height), _axis(width, 0, width))
        rest = (image - background)[::step, ::step]
        low, high = np.percentile(rest, (15.865, 84.135))
        scale = float(high - low) / 2
        if not scale > 1e-6 * float(np.abs(image).max()):
            raise BadFileError(name, "is constant", expected="a micrograph", fix="Check the frames of its movie.")
        return cls((height, width), coefficients, scale)

    def background(
        self, *, origin: tuple[int, int] = (0, 0), shape: tuple[int, int] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return the background of a region, by default of the whole micrograph, in its grey levels."""
        height, width = shape or self.shape
        y = _axis(self.shape[0], origin[0], height)
        x = _axis(self.shape[1], origin[1], width)
        return _evaluate(self.coefficients, y, x)

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


def _fit_background(image: npt.NDArray) -> npt.NDArray[np.float64]:
    """Fit the Legendre polynomial to block means by iteratively reweighted least squares.

    The first rounds weigh by 1/|residual| (least absolute deviations: convex, so the start does not
    matter), the others by Tukey's biweight, which leaves out what is not background.
    """
    height, width = image.shape
    block = max(1, min(height, width) // _BLOCKS)
    rows, columns = height // block, width // block
    blocks = image[: rows * block, : columns * block].reshape(rows, block, columns, block)
    means = blocks.mean(axis=(1, 3), dtype=np.float64).ravel()
    centre, spread = means.mean(), means.std()  # so that nothing below depends on the grey scale

    orders = [(i, j) for i in range(ORDER + 1) for j in range(ORDER + 1 - i)]
    coefficients = np.zeros((ORDER + 1, ORDER + 1))
    if not spread > 0 or len(means) <= len(orders):
        coefficients[0, 0] = centre
        return coefficients
    values = (means - centre) / spread
    legendre_y = np.polynomial.legendre.legvander(_axis(height, (block - 1) / 2, rows, block), ORDER)
    legendre_x = np.polynomial.legendre.legvander(_axis(width, (block - 1) / 2, columns, block), ORDER)
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


def _evaluate(
    coefficients: npt.NDArray[np.float64], y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Evaluate the background at all pairs of `y` and `x`, shape ``(len(y), len(x))``."""
    legendre_y = np.polynomial.legendre.legvander(y, ORDER)
    legendre_x = np.polynomial.legendre.legvander(x, ORDER)
    return (legendre_y @ coefficients @ legendre_x.T).astype(np.float32)
