"""How well picks agree: with the truth of a simulation, or with other picks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
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
