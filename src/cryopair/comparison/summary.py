"""Medians of each method over the same micrographs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..report.verdict import median
from .measure import RAW, Figures


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One line of the table; medians, in dB, NaN where nothing is known.

    Attributes
    ----------
    method : str
        Its name.
    snr, gain, bias, lost, invented, truth : float
        Of the micrographs compared.
    worst_gain : float
        The lowest of all.
    grey_scale : float
        What its grey levels were multiplied by.
    """

    method: str
    snr: float
    gain: float
    worst_gain: float
    bias: float
    lost: float
    invented: float
    truth: float
    grey_scale: float


def compared(figures: Sequence[Figures]) -> set[str]:
    """Return the micrographs that no method was trained on; if there are none, all of them."""
    every = {one.micrograph for one in figures}
    return every - {one.micrograph for one in figures if one.trained_on} or every


def summarise(figures: Sequence[Figures]) -> list[Summary]:
    """Summarise each method over `compared`; raw first, then by falling SNR, those without one last."""
    names = compared(figures)
    methods = dict.fromkeys(one.method for one in figures)
    lines = [_line(method, [f for f in figures if f.method == method and f.micrograph in names]) for method in methods]
    return sorted(lines, key=lambda line: (line.method != RAW, -line.snr if math.isfinite(line.snr) else math.inf))


def _line(method: str, figures: Sequence[Figures]) -> Summary:
    gains = [one.gain for one in figures if math.isfinite(one.gain)]
    names = ("snr", "gain", "bias", "lost", "invented", "truth", "grey_scale")
    medians = {name: median(getattr(one, name) for one in figures) for name in names}
    return Summary(method=method, worst_gain=min(gains, default=math.nan), **medians)
