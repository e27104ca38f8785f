"""Normalisation of particles by their background, as RELION's extraction does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

_FLAT = 1e-10
"""Background standard deviation below which RELION leaves an image unscaled."""


def background_radius(*, shown: float, scale: float, diameter: float | None) -> int:
    """Return the radius of the particle circle in pixels of the final image.

    Parameters
    ----------
    shown : float
        Side of what the final image shows, in pixels of the micrograph.
    scale : float
        Pixels of the final image per pixel of the micrograph.
    diameter : float, optional
        Diameter of the circle in pixels of the micrograph; RELION's default is three quarters of the box.
    """
    full = 0.75 * shown if diameter is None else diameter
    return int(full / 2 * scale)


def normalise(images: Floats, radius: int) -> Floats:
    """Subtract a plane, then bring the background to mean 0 and standard deviation 1.

    The background is all pixels farther than `radius` from pixel ``(size/2, size/2)``, corners included. The
    plane is its least-squares fit and is subtracted everywhere, so that the background's mean is 0. An image with a
    flat background is not scaled.

    Parameters
    ----------
    images : numpy.ndarray
        Shape ``(particles, size, size)``, float32 or float64, which is what it is computed in.
    radius : int
        Of the particle circle in pixels; at most ``size / 2``.

    Returns
    -------
    numpy.ndarray
        Shape ``(particles, size, size)``.
    """
    background = _background(images.shape[-1], radius, images.dtype)
    levelled = images.reshape(len(images), -1)
    levelled = levelled - (levelled @ background.fit) @ background.plane
    std = np.sqrt((levelled * levelled) @ background.mean)
    levelled *= (1 / np.where(std < _FLAT, 1, std))[:, np.newaxis]
    return levelled.reshape(images.shape)


@dataclass(frozen=True)
class _Background:
    """What levels images of one size, their pixels in a row.

    Attributes
    ----------
    plane : numpy.ndarray
        Column, row and 1 of every pixel, shape ``(3, pixels)``.
    fit : numpy.ndarray
        Gives the coefficients of the plane through the background, shape ``(pixels, 3)``.
    mean : numpy.ndarray
        Gives the mean over the background, shape ``(pixels,)``.
    """

    plane: Floats
    fit: Floats
    mean: Floats


@lru_cache(maxsize=4)
def _background(size: int, radius: int, dtype: np.dtype) -> _Background:
    index = np.arange(size) - size // 2
    column, row = (axis.ravel() for axis in np.meshgrid(index, index))
    inside = column**2 + row**2 > radius**2
    plane = np.stack([column, row, np.ones_like(column)]).astype(np.float64)
    fit = np.zeros_like(plane.T)
    fit[inside] = np.linalg.pinv(plane[:, inside])
    return _Background(plane.astype(dtype), fit.astype(dtype), (inside / inside.sum()).astype(dtype))
