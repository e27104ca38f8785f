"""Averages of alike images of particles, whatever way round each lies.

The images are sampled on circles around their centres, so that to turn one is to shift it along the circles, and the
best angle of all comes from one correlation. Classes are found as by k-means, with the angle found anew in each round.
Nothing is random: the first classes are those of more and less round images.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from .picks import Floats

ANGLES = 64
_ROUNDS = 8
_SMALLEST = 0.03  # share of the images below which a class is left out

Complex = npt.NDArray[np.complex128]


def sample_circles(image: Floats, row: Floats, column: Floats, *, circles: int, spacing: float) -> Floats:
    """Sample an image on circles around points.

    Parameters
    ----------
    image : numpy.ndarray
        Shape ``(height, width)``.
    row, column : numpy.ndarray
        The points, in pixels.
    circles : int
        How many, the first of them the point itself.
    spacing : float
        Between them, in pixels.

    Returns
    -------
    numpy.ndarray
        Shape ``(points, circles, ANGLES)``, each point's mean 0 and variance 1 over the disc.
    """
    radii = spacing * np.arange(circles)[:, None]
    angles = np.arange(ANGLES) * 2 * np.pi / ANGLES
    y, x = row[:, None, None] + radii * np.sin(angles), column[:, None, None] + radii * np.cos(angles)
    samples = map_coordinates(image, [y, x], order=1, mode="nearest")
    weight = _areas(circles)[:, None] / ANGLES
    samples = samples - (samples * weight).sum(axis=(1, 2), keepdims=True)
    power = (samples**2 * weight).sum(axis=(1, 2), keepdims=True)
    return samples / np.sqrt(np.maximum(power, 1e-12))


def average_classes(samples: Floats, *, classes: int) -> tuple[Floats, npt.NDArray[np.intp]]:
    """Sort images into classes, turn those of each class alike, and average them.

    Parameters
    ----------
    samples : numpy.ndarray
        As `sample_circles` gives them.
    classes : int
        How many at most: fewer where there are few images, and small ones are left out.

    Returns
    -------
    averages : numpy.ndarray
        Shape ``(classes, circles, ANGLES)``, the largest class first.
    counts : numpy.ndarray
        Images in each.
    """
    spectra = np.fft.rfft(samples, axis=2)
    spectra *= np.sqrt(_areas(samples.shape[1]))[:, None]
    round_ones = np.linalg.norm(spectra[:, :, 0].real, axis=1)
    groups = np.array_split(np.argsort(-round_ones, kind="stable"), min(classes, len(samples)))
    averages = np.stack([_align(spectra[group], spectra[group[len(group) // 2]][None])[1][0] for group in groups])
    for _ in range(_ROUNDS):
        counts, averages = _align(spectra, averages)
        averages = averages[counts > 0]
    counts, averages = _align(spectra, averages)
    order = [k for k in np.argsort(-counts, kind="stable") if counts[k] >= max(_SMALLEST * len(samples), 1)]
    unweighted = averages[order] / np.sqrt(_areas(samples.shape[1]))[:, None]
    return np.fft.irfft(unweighted, ANGLES, axis=2), counts[order]


def render(averages: Floats) -> Floats:
    """Return the images of averages, one circle per pixel.

    Parameters
    ----------
    averages : numpy.ndarray
        Shape ``(averages, circles, ANGLES)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(averages, size, size)``, with the centre in the middle of the odd size; 0 outside the largest circle.
    """
    reach = averages.shape[1] - 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    radius, angle = np.hypot(y, x), np.arctan2(y, x) % (2 * np.pi)
    closed = np.concatenate([averages, averages[:, :, :1]], axis=2)
    at = [radius, angle * ANGLES / (2 * np.pi)]
    images = np.stack([map_coordinates(average, at, order=1, mode="nearest") for average in closed])
    return np.where(radius <= reach, images, 0.0)


def _align(spectra: Complex, averages: Complex) -> tuple[npt.NDArray[np.intp], Complex]:
    """Return how many images are in each class, and new averages of them, turned alike."""
    best = np.full(len(spectra), -np.inf)
    member, turn = np.zeros(len(spectra), dtype=np.intp), np.zeros(len(spectra), dtype=np.intp)
    for k, average in enumerate(averages):
        correlation = np.fft.irfft((spectra * average.conj()).sum(axis=1), ANGLES, axis=1)
        correlation /= max(float(np.linalg.norm(average)), 1e-12)
        highest = correlation.max(axis=1)
        better = highest > best
        best[better], member[better], turn[better] = highest[better], k, correlation.argmax(axis=1)[better]
    frequency = np.arange(spectra.shape[2])
    turned = spectra * np.exp(2j * np.pi * frequency * turn[:, None] / ANGLES)[:, None, :]
    counts = np.bincount(member, minlength=len(averages))
    new = np.stack([turned[member == k].mean(axis=0) if counts[k] else averages[k] for k in range(len(averages))])
    return counts, new


def _areas(circles: int) -> Floats:
    """Return the share of the disc's area that each circle stands for."""
    radii = np.arange(circles, dtype=np.float64)
    radii[0] = 1 / 8  # a disc of half a pixel
    return radii / radii.sum()
