"""Which micrographs are good to train on, and which of many to take."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...micrographs import Micrographs, Row

_POOR = 0.5
"""Share of the median correlation of the halves below which a micrograph has little of what the others show."""

_FEW = 8

Source = tuple[Micrographs, Row]


def good_pairs(sources: Sequence[Source]) -> list[Source]:
    """Return the micrographs of a dataset that are good to train on.

    Left out are those whose halves correlate less than half as well as is usual in the dataset: thick ice, broken
    ice, no ice. None is left out if the correlations are not known, or of very few micrographs.

    Parameters
    ----------
    sources : sequence of tuple
        Micrographs, each with the list it is of.
    """
    correlations = np.array([float(row.get("cryopairCorrelationEvenOdd", "nan")) for _, row in sources])
    if len(sources) < _FEW or not np.all(np.isfinite(correlations)) or np.median(correlations) <= 0:
        return list(sources)
    return list(itertools.compress(sources, correlations >= _POOR * np.median(correlations)))


def spread(rows: Sequence[Row], wanted: int, seed: int) -> list[int]:
    """Choose one row from each of `wanted` equal stretches; all if there are no more.

    Where the defocus is known, the choice in each stretch is such that together they are spread over defocus too:
    each stretch has its own share of the range to aim at. Where it is not, the choice is random.

    Parameters
    ----------
    rows : sequence of mapping
        Of one dataset, sorted by name.
    wanted : int
        How many to choose.
    seed : int
        Of what is random.

    Returns
    -------
    list of int
        Places in `rows`, ascending.
    """
    if len(rows) <= wanted:
        return list(range(len(rows)))
    edges = np.linspace(0, len(rows), wanted + 1).astype(int)
    generator = np.random.default_rng(seed)
    depth = _defocus_ranks(rows)
    if depth is None:
        return [int(generator.integers(low, high)) for low, high in itertools.pairwise(edges)]
    aims = generator.permutation(wanted) / max(wanted - 1, 1)
    return [
        int(low + np.argmin(np.abs(depth[low:high] - aim)))
        for aim, (low, high) in zip(aims, itertools.pairwise(edges), strict=True)
    ]


def _defocus_ranks(rows: Sequence[Row]) -> npt.NDArray[np.float64] | None:
    """Return from 0 to 1 how far each row is from the lowest to the highest defocus; None where it is not known."""
    if any("rlnDefocusU" not in row for row in rows):
        return None
    defocus = np.array([float(row["rlnDefocusU"]) for row in rows])
    return np.argsort(np.argsort(defocus, kind="stable"), kind="stable") / max(len(rows) - 1, 1)
