"""Micrographs that differ from the rest of their session, each with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .data import MicrographResult
from .formatting import fixed

DEVIATIONS = 5.0
"""From the median, in robust standard deviations."""
_PER_MAD = 1.4826  # standard deviations of a normal distribution per median absolute deviation
_FEWEST = 8  # of fewer micrographs none can be told from the rest

# figure, its name and unit, decimals, which side is bad (0: both), and what differs too little to speak of
_WATCHED = (
    ("snr_raw", "raw SNR", "dB", 1, -1, 2.0),
    ("snr_denoised", "denoised SNR", "dB", 1, -1, 2.0),
    ("bias", "bias", "dB", 1, +1, 2.0),
    ("corr_even_odd", "correlation of even and odd", "", 3, -1, 0.05),
    ("motion", "motion", "Å", 1, +1, 3.0),
    ("picks", "number of picks", "", 0, 0, 10.0),
)


def flag_outliers(micrographs: Sequence[MicrographResult]) -> list[MicrographResult]:
    """Return the micrographs with a reason added to `flags` for each figure that is far from the median.

    Far is `DEVIATIONS` robust standard deviations, to the side that is bad. Of few micrographs none is flagged.
    """
    reasons: dict[int, list[str]] = {}
    for figure, name, unit, digits, side, least in _WATCHED:
        values = np.array([_value(m, figure) for m in micrographs])
        known = np.isfinite(values)
        if known.sum() < _FEWEST:
            continue
        middle = float(np.median(values[known]))
        reach = max(DEVIATIONS * _PER_MAD * float(np.median(np.abs(values[known] - middle))), least)
        apart = (values - middle) * side if side else np.abs(values - middle)
        for index in np.flatnonzero(known & (np.nan_to_num(apart) > reach)):
            word = "high" if values[index] > middle else "low"
            shown = " ".join(filter(None, (fixed(float(values[index]), digits), unit)))
            reasons.setdefault(int(index), []).append(f"{word} {name}: {shown} (median {fixed(middle, digits)})")
    return [replace(m, flags=(*m.flags, *reasons.get(index, ()))) for index, m in enumerate(micrographs)]


def _value(micrograph: MicrographResult, figure: str) -> float:
    value = getattr(micrograph, figure)
    return float("nan") if value is None else float(value)
