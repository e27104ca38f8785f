"""Curves by spatial frequency of all micrographs, from ``quality_rings.csv``."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt

MOST = 1000
"""Micrographs that medians and bands are taken over at most, evenly spread over the session."""
LARGE = 64_000_000
"""Bytes of a file that is not read from end to end."""

_VALUES = (
    "frc_raw",
    "frc_denoised",
    "signal_power_std2",
    "noise_power_std2",
    "residual_noise_power_std2",
    "bias_power_std2",
    "frc_denoised_raw",
)

Curves = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rings:
    """Curves of several micrographs on one axis; shape ``(micrographs, rings)``, powers in σ² of a raw half.

    Attributes
    ----------
    frequency : numpy.ndarray
        In 1/Å, shape ``(rings,)``.
    frc_raw, frc_denoised : numpy.ndarray
        Fourier ring correlation of the even and odd halves.
    signal, noise, residual, bias : numpy.ndarray
        Powers, of one half.
    frc_cross : numpy.ndarray
        Fourier ring correlation of a denoised half and the other raw half.
    """

    frequency: npt.NDArray[np.float64]
    frc_raw: Curves
    frc_denoised: Curves
    signal: Curves
    noise: Curves
    residual: Curves
    bias: Curves
    frc_cross: Curves


def read_rings(path: Path) -> Rings | None:
    """Read the curves of at most `MOST` micrographs, evenly spread.

    Micrographs of another size or pixel size than most have other frequencies and are left out.

    Returns
    -------
    Rings or None
        None when there is no such file, or no curve in it.
    """
    if not path.is_file():
        return None
    found: list[tuple[tuple[float, ...], Curves]] = []
    for rows in _evenly(path, MOST) if path.stat().st_size > LARGE else _whole(path):
        frequency = tuple(float(row["spatial_frequency_per_A"]) for row in rows)
        found.append((frequency, np.array([[float(row.get(v) or "nan") for row in rows] for v in _VALUES])))
    if not found:
        return None
    usual, _ = Counter(frequency for frequency, _ in found).most_common(1)[0]
    values = np.stack([curves for frequency, curves in found if frequency == usual], axis=1)
    return Rings(np.array(usual), *values)


def _whole(path: Path) -> Iterator[list[dict[str, str]]]:
    """Give the rows of at most `MOST` micrographs of a file that is read from end to end."""
    with path.open(newline="", encoding="utf-8") as stream:
        next(stream, None)
        total = sum(1 for _ in groupby(csv.reader(stream), key=itemgetter(0)))
    step = -(-total // MOST)
    with path.open(newline="", encoding="utf-8") as stream:
        for place, (_, lines) in enumerate(groupby(csv.DictReader(stream), key=itemgetter("micrograph"))):
            if place % step == 0:
                yield list(lines)


def _evenly(path: Path, parts: int) -> Iterator[list[dict[str, str]]]:
    """Give the rows of micrographs that begin after evenly spread places of a file, which need not be read whole."""
    with path.open("rb") as stream:
        header = next(csv.reader([stream.readline().decode()]))
        start, end = stream.tell(), path.stat().st_size
        seen: set[str] = set()
        for part in range(parts):
            stream.seek(start + (end - start) * part // parts)
            if part:
                stream.readline()  # the rest of a line
            rows = csv.DictReader((line.decode() for line in stream), fieldnames=header)
            groups = groupby(rows, key=itemgetter("micrograph"))
            if part:
                next(groups, None)  # the rest of a micrograph
            name, lines = next(groups, (None, iter(())))
            if name is not None and name not in seen:
                seen.add(name)
                yield list(lines)


def medians(rings: Rings) -> dict[str, list[float]]:
    """Return the medians over the micrographs, name with unit → value of each ring; NaN where none is known."""
    names = ("frc_raw", "frc_denoised", "signal", "noise", "residual", "bias", "frc_cross")
    found = {"spatial_frequency_per_A": rings.frequency.tolist()}
    for column, name in zip(_VALUES, names, strict=True):
        found[column] = quantile(getattr(rings, name), 50).tolist()
    return found


def quantile(curves: Curves, percent: float) -> npt.NDArray[np.float64]:
    """Return a percentile of each ring over the micrographs where it is known; NaN where none is."""
    known = np.isfinite(curves).any(axis=0)
    values = np.full(curves.shape[1], np.nan)
    values[known] = np.nanpercentile(curves[:, known], percent, axis=0)
    return values
