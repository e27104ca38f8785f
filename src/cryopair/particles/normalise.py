"""Normalisation of particles by their background, as RELION's extraction does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_FLAT = 1e-10
"""Background standard deviation below which RELION leaves an image unscaled."""


def background_radius(*, box: int, size: int, diameter: float | None) -> int:
    """Return the radius of the particle circle in pixels of the final image.

    Parameters
    ----------
    box : int
        Side of the extracted box in pixels of the micrograph.
    size : int
        Side of the final, possibly downsampled image.
    diameter : float, optional
        Diameter of the circle in pixels of the micrograph; RELION's default is three quarters of the box.
    """
    full = 0.75 * box if diameter is None else diameter
    return int(full / 2 * (size / box))


def normalise(images: Floats, radius: int) -> Floats:
    """Subtract a plane, then bring the background to mean 0 and standard deviation 1.

    The background is all pixels farther than `radius` from pixel ``(size/2, size/2)``, corners included. The
    plane is its least-squares fit and is subtracted everywhere. An image with a flat background is not scaled.

    Parameters
    ----------
    images : numpy.ndarray
        Shape ``(particles, size, size)``.
    radius : int
        Of the particle circle in pixels; at most ``size / 2``.

    Returns
    -------
    numpy.ndarray
        Shape ``(particles, size, size)``.
    """
    size = images.shape[-1]
    index = np.arange(size) - size // 2
    column, row = np.meshgrid(index, index)
    background = column**2 + row**2 > radius**2
    plane = np.stack([column, row, np.ones_like(column)]).astype(np.float64)
    fit = images[:, background] @ np.linalg.pinv(plane[:, background])
    levelled = images - np.tensordot(fit, plane, axes=1)
    values = levelled[:, background]
    mean, std = values.mean(axis=1), values.std(axis=1)
    flat = std < _FLAT
    mean, std = np.where(flat, 0.0, mean), np.where(flat, 1.0, std)
    return (levelled - mean[:, np.newaxis, np.newaxis]) / std[:, np.newaxis, np.newaxis]
