"""The session in numbers and in a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .data import Results
from .formatting import count, percent

ALTERED_MUCH, ALTERED_TOO_MUCH = 0.25, 0.5
"""Shares of the signal power that bias may take before denoised images need care, and before they mislead."""
SMALL_GAIN = 3.0
"""In dB: denoising that gains less is hardly worth it; averaging two half-sums gains as much."""


@dataclass(frozen=True)
class Headline:
    """Medians over the micrographs; NaN when nothing was measured.

    Attributes
    ----------
    snr_raw, snr_denoised, gain, bias : float
        In dB. The gain is the median of the micrographs' gains.
    measured : int
        How many micrographs the medians are over.
    """

    snr_raw: float
    snr_denoised: float
    gain: float
    bias: float
    measured: int

    @property
    def altered(self) -> float:
        """Share of the signal power that was lost or made up."""
        return share(self.bias)


@dataclass(frozen=True)
class Verdict:
    """What to make of it.

    Attributes
    ----------
    level : str
        ``good``, ``care``, ``bad`` or ``unknown``.
    title, text : str
        For people.
    """

    level: str
    title: str
    text: str


def share(bias: float) -> float:
    """Return a bias in dB as a share of the signal power."""
    return 10 ** (bias / 10)


def median(values: Iterable[float]) -> float:
    """Return the median of what is finite; NaN when nothing is."""
    finite = [value for value in values if math.isfinite(value)]
    return float(np.median(finite)) if finite else math.nan


def headline(results: Results) -> Headline:
    """Take the medians over all micrographs."""
    micrographs = results.micrographs
    return Headline(
        snr_raw=median(m.snr_raw for m in micrographs),
        snr_denoised=median(m.snr_denoised for m in micrographs),
        gain=median(m.gain for m in micrographs),
        bias=median(m.bias for m in micrographs),
        measured=sum(math.isfinite(m.gain) for m in micrographs),
    )


def judge(figures: Headline, *, done: int, total: int) -> Verdict:
    """Say in words whether the denoised images can be used."""
    came_through = f"{count(done)} of {count(total)} micrographs came through."
    if not figures.measured:
        text = f"{came_through} No signal-to-noise ratio could be estimated, so look at the images with care."
        return Verdict("unknown", "The quality was not measured.", text)
    altered = f"the model lost or made up {percent(figures.altered)} of the signal power"
    if math.isnan(figures.bias):
        altered = "its bias could not be told from zero"
    change = "raised" if figures.gain > 0 else "lowered"
    gain = f"Denoising {change} the SNR by {abs(figures.gain):.1f} dB"
    measured = f"{gain}, and {altered} (medians). {came_through}"
    if figures.gain <= 0 or figures.altered > ALTERED_TOO_MUCH:
        return Verdict("bad", "Do not rely on these denoised images.", measured)
    if figures.gain < SMALL_GAIN or figures.altered > ALTERED_MUCH or done < 0.8 * total:
        return Verdict("care", "Use the denoised images with care.", measured)
    return Verdict("good", "Denoising works on these data.", measured)
