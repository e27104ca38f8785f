"""Micrographs that are unlike the others of their session, each with the reason."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..formats.star import Table
from .selection import MEASURES
from .tables import format_table, number

LIMIT = 5.0
"""Robust standard deviations from the median beyond which a micrograph is an outlier: of Gaussian values, one in two
million."""
FEWEST = 10
"""Micrographs below which nothing is called usual."""
_GAUSSIAN_MAD = 0.6745


@dataclass(frozen=True)
class Watched:
    """A measure of micrographs, and in which direction it is bad.

    Attributes
    ----------
    title, unit : str
        For people; no unit is empty.
    bad : {"high", "low", "both"}
        Where outliers are told.
    least : float
        The smallest spread that is taken for real, so that a session as even as can be flags nothing for trifles.
    relative : bool
        Whether `least` is a share of the median.
    """

    title: str
    unit: str
    bad: Literal["high", "low", "both"]
    least: float
    relative: bool = False


WATCHED: Mapping[str, Watched] = {
    "motion_early": Watched("early motion", "Å", "high", 1.0),
    "motion_late": Watched("late motion", "Å", "high", 1.0),
    "intensity": Watched("intensity", "counts/px", "both", 0.02, relative=True),
    "contamination": Watched("contaminated share", "", "high", 0.01),
    "carbon": Watched("share of carbon", "", "high", 0.01),
    "defocus": Watched("defocus", "Å", "both", 500.0),
    "ctf_resolution": Watched("resolution of the CTF fit", "Å", "high", 0.5),
    "correlation": Watched("correlation of the halves", "", "low", 0.005),
    "snr_raw_db": Watched("SNR of the raw sum", "dB", "both", 0.5),
    "snr_denoised_db": Watched("SNR of the denoised sum", "dB", "low", 0.5),
    "bias_db": Watched("bias", "dB", "high", 0.5),
    "invented_db": Watched("invented power over signal", "dB", "high", 0.5),
    "corr_near_nyquist": Watched("correlation near Nyquist", "", "high", 0.002),
}
"""By the names of `selection.MEASURES` and of the columns of ``quality.csv``."""


@dataclass(frozen=True)
class Outlier:
    """One measure of one micrograph that is far from the others.

    Attributes
    ----------
    micrograph : str
        Its name.
    measure : str
        Key of `WATCHED`.
    value, median : float
        Of this micrograph, and of all.
    robust_z : float
        ``0.6745 (value - median) / MAD``, where the MAD is the median absolute deviation from the median.
    """

    micrograph: str
    measure: str
    value: float
    median: float
    robust_z: float

    @property
    def reason(self) -> str:
        """The same in words."""
        watched = WATCHED[self.measure]
        unit = f" {watched.unit}".rstrip()
        far = "above" if self.robust_z > 0 else "below"
        return f"{watched.title} {self.value:.3g}{unit} is far {far} the median of {self.median:.3g}{unit}"


def find_outliers(names: Sequence[str], values: Mapping[str, Sequence[float]]) -> list[Outlier]:
    """Find the micrographs that lie more than `LIMIT` robust standard deviations on the bad side of the median.

    Parameters
    ----------
    names : sequence of str
        Of the micrographs.
    values : mapping of str to sequence of float
        For each measure in `WATCHED` that is known, one value a micrograph; NaN where it is not known.

    Returns
    -------
    list of Outlier
        In the order of the micrographs.
    """
    place = {name: index for index, name in enumerate(names)}
    found = [outlier for key, column in values.items() for outlier in _outliers_of(key, names, column)]
    return sorted(found, key=lambda outlier: place[outlier.micrograph])


def session_outliers(micrographs: Table, quality: Sequence[Mapping[str, str]]) -> list[Outlier]:
    """Find the outliers of a session.

    Parameters
    ----------
    micrographs : Table
        Of ``halves.star``.
    quality : sequence of mapping
        Rows of ``quality.csv``.
    """
    rows, figures = list(micrographs.rows()), {row["micrograph"]: row for row in quality}
    names = [row["rlnMicrographName"] for row in rows]
    values = {
        key: [MEASURES[key].of(row) for row in rows]
        if key in MEASURES
        else [number(figures.get(name, {}), key) for name in names]
        for key in WATCHED
    }
    return find_outliers(names, values)


def format_outliers(outliers: Sequence[Outlier]) -> str:
    """Return outliers as CSV, one row for each measure of each micrograph that is far from the others."""
    rows = [
        {
            "micrograph": outlier.micrograph,
            "measure": outlier.measure,
            "unit": WATCHED[outlier.measure].unit,
            "value": outlier.value,
            "median": outlier.median,
            "robust_z": outlier.robust_z,
            "reason": outlier.reason,
        }
        for outlier in outliers
    ]
    return format_table(rows, columns=("micrograph", "measure", "unit", "value", "median", "robust_z", "reason"))


def _outliers_of(measure: str, names: Sequence[str], column: Sequence[float]) -> Iterator[Outlier]:
    watched, known = WATCHED[measure], [value for value in column if math.isfinite(value)]
    if len(known) < FEWEST:
        return
    median = float(np.median(known))
    spread = float(np.median(np.abs(np.array(known) - median))) / _GAUSSIAN_MAD
    spread = max(spread, watched.least * (abs(median) if watched.relative else 1.0))
    for name, value in zip(names, column, strict=True):
        z = (value - median) / spread if spread > 0 else 0.0
        bad = {"high": z, "low": -z, "both": abs(z)}[watched.bad]
        if bad > LIMIT:
            yield Outlier(name, measure, value, median, z)
