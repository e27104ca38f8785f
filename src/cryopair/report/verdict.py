"""The session in numbers and in a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..quality.snr import MUCH_INVENTED, MUCH_LOST
from .data import Results
from .formatting import count, percent

ALTERED_MUCH, ALTERED_TOO_MUCH = 0.25, 0.5
"""Shares of the signal power that bias may take before denoised images need care, and before they mislead."""
SMALL_GAIN = 3.0
"""In dB: denoising that gains less is hardly worth it; averaging two half-sums gains as much."""


@dataclass(frozen=True)
class Headline:
    """Medians over the micrographs that the model was not trained on, or over all where it was trained on all.

    NaN when nothing was measured.

    Attributes
    ----------
    snr_raw, snr_denoised, gain, bias : float
        In dB. The gain is the median of the micrographs' gains.
    measured : int
        How many micrographs the medians are over.
    trained_on : int
        On how many of these the model was trained.
    known : bool
        Whether the model's training set is one of this session, so that `trained_on` means something.
    lost, invented : float
        The two parts of the bias in dB of the signal, where they are known: what the model took away, and what it put
        in.
    """

    snr_raw: float
    snr_denoised: float
    gain: float
    bias: float
    measured: int
    trained_on: int = 0
    known: bool = True
    lost: float = math.nan
    invented: float = math.nan

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
    """Take the medians over what the model was not trained on; if there is nothing else, over that."""
    measured = [m for m in results.micrographs if math.isfinite(m.gain)]
    chosen = [m for m in measured if m.role != "train"] or measured
    return Headline(
        snr_raw=median(m.snr_raw for m in chosen),
        snr_denoised=median(m.snr_denoised for m in chosen),
        gain=median(m.gain for m in chosen),
        bias=median(m.bias for m in chosen),
        measured=len(chosen),
        trained_on=sum(m.role == "train" for m in chosen),
        known=any(m.role for m in results.micrographs),
        lost=median(m.lost for m in chosen),
        invented=median(m.invented for m in chosen),
    )


def judge(figures: Headline, *, done: int, total: int) -> Verdict:
    """Say in words whether the denoised images can be used."""
    came_through = f"{count(done)} of {count(total)} micrographs came through."
    if not figures.measured:
        text = f"{came_through} No signal-to-noise ratio could be estimated, so look at the images with care."
        return Verdict("unknown", "The quality was not measured.", text)
    altered, parts = _altered(figures)
    change = "raised" if figures.gain > 0 else "lowered"
    gain = f"Denoising {change} the SNR by {abs(figures.gain):.1f} dB"
    measured = f"{gain}, and {altered} ({'; '.join([*parts, over(figures)])}). {came_through}"
    if figures.gain <= 0 or figures.altered > ALTERED_TOO_MUCH:
        return Verdict("bad", f"Do not rely on these denoised images{_why(figures)}.", measured)
    if figures.gain < SMALL_GAIN or figures.altered > ALTERED_MUCH or done < 0.8 * total:
        return Verdict("care", f"Use the denoised images with care{_caution(figures)}.", measured)
    return Verdict("good", "Denoising works on these data.", measured)


def over(figures: Headline) -> str:
    """Say which micrographs the medians are over, and whether the model knew them."""
    what = "1 micrograph" if figures.measured == 1 else f"medians of {count(figures.measured)} micrographs"
    if figures.trained_on:
        return f"{what} that the model was trained on: there are no others"
    return f"{what} that the model was not trained on" if figures.known else what


def _altered(figures: Headline) -> tuple[str, list[str]]:
    """Say how much of the signal the model altered, and which part of that was lost and which made up."""
    if math.isnan(figures.bias):
        return "its bias could not be told from zero", []
    parts = [
        f"{percent(share(part))} {word}"
        for part, word in ((figures.lost, "lost"), (figures.invented, "made up"))
        if math.isfinite(part)
    ]
    return f"the model lost or made up {percent(figures.altered)} of the signal power", [
        ", ".join(parts)
    ] if parts else []


def _why(figures: Headline) -> str:
    """Name what is wrong with the model, where it is plain."""
    if figures.altered <= ALTERED_TOO_MUCH or (math.isnan(figures.lost) and math.isnan(figures.invented)):
        return ""
    lost, invented = (0.0 if math.isnan(part) else share(part) for part in (figures.lost, figures.invented))
    if lost > MUCH_LOST and invented > MUCH_INVENTED:
        return ": the model loses the signal and makes things up"
    return ": the model makes things up" if invented > lost else ": the model blurs"


def _caution(figures: Headline) -> str:
    """Name what calls for care, unless it is only that many micrographs were lost."""
    reasons = {
        "little was gained": figures.gain < SMALL_GAIN,
        "part of the signal was changed": figures.altered > ALTERED_MUCH,
    }
    found = [reason for reason, applies in reasons.items() if applies]
    return f": {' and '.join(found)}" if found else ""
