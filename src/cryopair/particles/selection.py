"""Which coordinates particles are cut at: inside the micrograph, off its edges, and apart from each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..formats.coordinates import Floats

Indices = npt.NDArray[np.intp]


def inside(x: Floats, y: Floats, *, shape: tuple[int, int], margin: float = 0.0) -> npt.NDArray[np.bool_]:
    """Tell which coordinates lie on the micrograph, at least `margin` pixels from the centres of its outermost pixels.

    Parameters
    ----------
    x, y : numpy.ndarray
        Shape ``(particles,)``.
    shape : tuple of int
        ``(height, width)`` of the micrograph.
    margin : float
        In pixels.
    """
    height, width = shape
    chosen: npt.NDArray[np.bool_] = (
        (x >= margin) & (x <= width - 1 - margin) & (y >= margin) & (y <= height - 1 - margin)
    )
    return chosen


def apart(x: Floats, y: Floats, score: Floats, *, distance: float) -> Indices:
    """Choose particles that are more than `distance` apart; of those that are not, the one with the best score.

    The best of all is kept and its neighbours go, then the best of those left, and so on. Of equal scores the first
    in the list counts as the best.

    Parameters
    ----------
    x, y, score : numpy.ndarray
        Shape ``(particles,)``.
    distance : float
        In pixels; 0 removes only what lies at the very same place.

    Returns
    -------
    numpy.ndarray
        Indices of those kept, in the order of the list.
    """
    from scipy.spatial import KDTree  # slow to load, and those who only write lists of coordinates do without

    places = np.column_stack([x, y])
    neighbours: dict[int, list[int]] = {}
    for first, second in KDTree(places).query_pairs(distance) if len(places) else ():
        neighbours.setdefault(first, []).append(second)
        neighbours.setdefault(second, []).append(first)
    gone: set[int] = set()
    for index in np.argsort(-score, kind="stable").tolist():
        if index in neighbours and index not in gone:
            gone.update(neighbours[index])
    return np.array([index for index in range(len(places)) if index not in gone], dtype=np.intp)
