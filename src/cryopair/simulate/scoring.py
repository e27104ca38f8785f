"""How close results come to the truth of a simulation."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

HIT = 1 / 4
"""A pick within this share of the particle diameter of a particle's centre has found it."""


class PickScore(NamedTuple):
    """Numbers of picks that hit a particle, that hit none, and of particles without a pick."""

    true_positive: int
    false_positive: int
    false_negative: int


def match_picks(picks: npt.ArrayLike, truth: npt.ArrayLike, radius: float) -> PickScore:
    """Pair picks with particles, one to one, so that as many pairs as possible lie within `radius`.

    Parameters
    ----------
    picks, truth : array_like
        Shapes ``(n, 2)`` and ``(m, 2)``, x and y in pixels.
    radius : float
        Largest distance of a pair, in pixels.
    """
    picks = np.asarray(picks, np.float64).reshape(-1, 2)
    truth = np.asarray(truth, np.float64).reshape(-1, 2)
    near = cdist(picks, truth) <= radius
    rows, columns = linear_sum_assignment(near, maximize=True)
    hits = int(near[rows, columns].sum())
    return PickScore(hits, len(picks) - hits, len(truth) - hits)


def score_picks(
    picks: npt.NDArray[np.float64], truth: npt.NDArray[np.float64], shape: tuple[int, ...], diameter: float
) -> PickScore:
    """Match picks with particles; those cut by the edge may be picked, but need not be.

    Parameters
    ----------
    picks, truth : numpy.ndarray
        Shapes ``(n, 2)`` and ``(m, 2)``, x and y in pixels.
    shape : tuple of int
        ``(height, width)`` of the image.
    diameter : float
        Of a particle, in pixels.
    """
    size = np.array(shape[::-1])
    whole = ((truth >= diameter / 2) & (truth < size - diameter / 2)).all(axis=1)
    found = match_picks(picks, truth, HIT * diameter)
    missed = match_picks(picks, truth[whole], HIT * diameter).false_negative
    return PickScore(found.true_positive, found.false_positive, missed)


def add_scores(a: PickScore, b: PickScore) -> PickScore:
    """Add the numbers of two micrographs."""
    return PickScore(*(x + y for x, y in zip(a, b, strict=True)))


def f1(true_positive: int, false_positive: int, false_negative: int) -> float:
    """Return the harmonic mean of precision and recall; 0 when there is nothing to find and nothing found."""
    total = 2 * true_positive + false_positive + false_negative
    return 2 * true_positive / total if total else 0.0


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
