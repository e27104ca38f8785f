"""Curves by spatial frequency of all micrographs, from ``quality_rings.csv``."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

MOST = 400
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
    with path.open("rb") as stream:
        columns = next(csv.reader([stream.readline().decode()]), [])
        curves = _evenly if path.stat().st_size > LARGE else _whole
        found = [_numbers(rows, columns) for rows in curves(stream, len(columns))]
    if not found:
        return None
    usual, _ = Counter(frequency.tobytes() for frequency, _ in found).most_common(1)[0]
    values = np.stack([powers for frequency, powers in found if frequency.tobytes() == usual], axis=1)
    return Rings(np.frombuffer(usual), *values)


Cells = list[bytes]
"""The cells of a line: the micrograph's name, which may have commas, as it is written, and figures."""


def _numbers(rows: list[Cells], columns: list[str]) -> tuple[npt.NDArray[np.float64], Curves]:
    """Return the frequencies of one micrograph's rows, and its curves; many times as fast as by `csv`."""
    figures = np.array([[cell or b"nan" for cell in row[1:]] for row in rows]).astype(np.float64).T
    named = dict(zip(columns[1:], figures, strict=True))
    unknown = np.full(len(rows), np.nan)
    return named["spatial_frequency_per_A"], np.array([named.get(name, unknown) for name in _VALUES])


def _groups(stream: BinaryIO, width: int) -> Iterator[list[Cells]]:
    """Give the rows of each micrograph from here on."""
    cells = (line.rstrip(b"\r\n").rsplit(b",", width - 1) for line in stream)
    for _, rows in groupby(cells, key=lambda row: row[0]):
        yield list(rows)


def _whole(stream: BinaryIO, width: int) -> Iterator[list[Cells]]:
    """Give the rows of at most `MOST` micrographs of a file that is read from end to end."""
    groups = list(_groups(stream, width))
    yield from groups[:: -(-len(groups) // MOST) or 1]


def _evenly(stream: BinaryIO, width: int) -> Iterator[list[Cells]]:
    """Give the rows of `MOST` micrographs that begin after evenly spread places of a file, not read whole."""
    start, end = stream.tell(), stream.seek(0, 2)
    seen: set[bytes] = set()
    for part in range(MOST):
        stream.seek(start + (end - start) * part // MOST)
        if part:
            stream.readline()  # the rest of a line
        groups = _groups(stream, width)
        if part:
            next(groups, None)  # the rest of a micrograph
        rows = next(groups, None)
        if rows is not None and rows[0][0] not in seen:
            seen.add(rows[0][0])
            yield rows


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
