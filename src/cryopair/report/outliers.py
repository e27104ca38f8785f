"""Micrographs whose number of picks is unlike the rest; the stage ``merge`` has looked at all that was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..quality.outliers import FEWEST, LIMIT
from .data import MicrographResult

_GAUSSIAN_MAD = 0.6745
_LEAST = 2.0  # the smallest spread that is taken for real


def flag_picks(micrographs: Sequence[MicrographResult]) -> list[MicrographResult]:
    """Return the micrographs with a flag where there are far fewer or far more picks than the median.

    Far is `quality.outliers.LIMIT` robust standard deviations. Of few micrographs none is flagged.
    """
    counts = [m.picks for m in micrographs if m.picks is not None]
    if len(counts) < FEWEST:
        return list(micrographs)
    median = float(np.median(counts))
    spread = max(float(np.median(np.abs(np.array(counts) - median))) / _GAUSSIAN_MAD, _LEAST)

    def flagged(m: MicrographResult) -> MicrographResult:
        if m.picks is None or abs(m.picks - median) <= LIMIT * spread:
            return m
        far = "above" if m.picks > median else "below"
        return replace(m, flags=(*m.flags, f"{m.picks} picks are far {far} the median of {median:g}"))

    return [flagged(m) for m in micrographs]
