"""Whether new micrographs are still like those that the model was trained on.

What changes an experiment changes figures that are measured anyway: another gain, what the halves share near Nyquist
and the spectrum of the noise; ice, dose and beam, the intensity and the SNR; defocus and pixel size, the bands in
which there is signal; anything that the model has not seen, its excess error. Each shard is compared with the
training set in all of them. Micrographs differ, and neighbours are alike, so that a shard always differs a little: an
alarm is given only if the median of a shard is beyond the spread *within* the training set, and that for certain.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadFileError
from ..formats.star import read_star
from .selection import MEASURES
from .snr import decibels
from .tables import format_table, number, read_table

CHANGE = 1.0
"""Standard deviations within the training set that a shard's median must be away …"""
CERTAINTY = 5.0
"""… and that by so many standard errors."""
FEWEST_REFERENCE, FEWEST = 10, 4
"""Micrographs of the training set and of a shard below which nothing can be told."""
USUAL = 40
"""Micrographs that stand for the training set where the model was trained on other data: the first ones."""
SAME_PIXEL_SIZE = 0.01
"""Relative difference of pixel sizes that are the same."""

_BANDS = (500.0, 100.0, 50.0, 30.0, 20.0, 12.0, 8.0)  # Å
_FAINTEST = 0.003  # of the noise: signal of a band below that is as good as none
_MEDIAN = 1.2533  # standard error of a median over that of a mean
_GAUSSIAN_MAD = 0.6745

Values = npt.NDArray[np.float64]
Features = dict[str, float]
Found = Sequence[tuple[str, Sequence[float]]]
"""Role in the training, and figures, of each micrograph of a shard."""
Find = Callable[[], Found]


@dataclass(frozen=True)
class Feature:
    """A figure that is watched for drift.

    Attributes
    ----------
    title, unit : str
        For people.
    least : float
        Smallest spread that is taken for real.
    relative : bool
        Whether `least` is a share of the median.
    """

    title: str
    unit: str
    least: float
    relative: bool = False


FEATURES: Mapping[str, Feature] = {
    "intensity": Feature("intensity", "counts/px", 0.01, relative=True),
    "defocus": Feature("defocus", "Å", 500.0),
    "snr_raw_db": Feature("SNR of the raw sum", "dB", 0.3),
    "excess_error_db": Feature("excess error over signal", "dB", 0.3),
    "corr_near_nyquist": Feature("correlation of the halves near Nyquist", "", 0.002),
    **{
        f"{kind}_{low:g}_{high:g}A_db": Feature(f"{title} between {low:g} and {high:g} Å", "dB", least)
        for kind, title, least in (("signal", "signal over noise", 0.5), ("noise", "share of the noise", 0.1))
        for low, high in itertools.pairwise(_BANDS)
    },
}


_WATCHED = ("pixel_size", *FEATURES)


@dataclass(frozen=True)
class ShardDrift:
    """How a shard compares with the training set.

    Attributes
    ----------
    shard : str
        Its name.
    micrographs, reference : int
        Numbers of micrographs that were compared.
    alarm : bool or None
        Whether it differs; None if there are too few to tell.
    measure : str
        The key of `FEATURES` that changed most for certain, or ``pixel_size``; empty if nothing was compared.
    change : float
        Of the median of that figure, in standard deviations within the training set.
    reason : str
        What changed, in words; empty without an alarm.
    """

    shard: str
    micrographs: int
    reference: int
    alarm: bool | None
    measure: str = ""
    change: float = math.nan
    reason: str = ""


def session_drift(
    output: Path, shards: Mapping[str, Path], *, findings: Callable[[list[Path], Find], Found] | None = None
) -> list[ShardDrift]:
    """Compare each measured shard of a session with the training set.

    Parameters
    ----------
    output : Path
        Output folder of the session, with ``halves/<shard>.star``.
    shards : mapping of str to Path
        Name and table of the stage measure of each, in order, with ``<shard>_rings.csv`` beside it; those that have not
        been measured are left out.
    findings : callable, optional
        Returns what is found in files, which it may know already; it is given the files, and what finds it.
    """
    measured: dict[str, list[tuple[str, Features]]] = {}
    for shard, table in shards.items():
        files = [_rings_of(table), table, output / "halves" / f"{shard}.star"]
        find = partial(_find, output, shard, table)
        found = findings(files, find) if findings else find()
        measured[shard] = [(role, dict(zip(_WATCHED, values, strict=True))) for role, values in found]
    everything = [features for rows in measured.values() for _, features in rows]
    trained_on = [features for rows in measured.values() for role, features in rows if role != "none"]
    reference = _columns(trained_on if len(trained_on) >= FEWEST_REFERENCE else everything[:USUAL])
    return [
        _compare(shard, _columns([features for _, features in rows]), reference)
        for shard, rows in measured.items()
        if rows
    ]


def drift_alarm(output: Path, shards: Mapping[str, Path]) -> str:
    """Say how the last measured shards of a session have drifted away from the training set.

    Two shards in a row must differ, the last ones that could be compared: one may just be a bad grid square.

    Parameters
    ----------
    output, shards
        As of `session_drift`.

    Returns
    -------
    str
        The reason, for people; empty if there is no alarm.
    """
    told = [drift for drift in session_drift(output, shards) if drift.alarm is not None][-2:]
    return f"shard {told[-1].shard}: {told[-1].reason}" if len(told) == 2 and all(d.alarm for d in told) else ""


def compare(shard: str, ours: Sequence[Features], reference: Sequence[Features]) -> ShardDrift:
    """Compare the figures of the micrographs of a shard with those of the training set.

    Of each figure, let d be the difference of the medians in (robust) standard deviations of the training set, and e
    its standard error: an alarm is given where ``abs(d) - CERTAINTY e > CHANGE``.

    Parameters
    ----------
    shard : str
        Its name.
    ours, reference : sequence of mapping
        Of each micrograph, its pixel size and those `FEATURES` that are known.
    """
    return _compare(shard, _columns(ours), _columns(reference))


def _compare(shard: str, ours: _Columns, reference: _Columns) -> ShardDrift:
    counts = ours.micrographs, reference.micrographs
    if ours.micrographs < FEWEST or reference.micrographs < FEWEST_REFERENCE:
        return ShardDrift(shard, *counts, None)
    pixel_size, usual = ours.known["pixel_size"].median, reference.known["pixel_size"].median
    if abs(pixel_size - usual) > SAME_PIXEL_SIZE * usual:
        reason = f"pixels of {pixel_size:g} Å, in the training set {usual:g} Å"
        return ShardDrift(shard, *counts, True, "pixel_size", math.inf, reason)
    measure, furthest, surest = "", math.nan, -math.inf
    for key in FEATURES:
        change, certain = _change(key, ours.known[key], reference.known[key])
        if certain > surest:
            measure, furthest, surest = key, change, certain
    if surest > CHANGE:
        reason = _reason(measure, ours.known[measure].median, reference.known[measure].median)
        return ShardDrift(shard, *counts, True, measure, furthest, reason)
    return ShardDrift(shard, *counts, False, measure, furthest)


def format_drift(drifts: Sequence[ShardDrift]) -> str:
    """Return the shards as CSV; ``alarm`` is yes, no, or empty where too few were measured to tell."""
    rows = [
        {
            "shard": drift.shard,
            "micrographs": drift.micrographs,
            "reference_micrographs": drift.reference,
            "alarm": "" if drift.alarm is None else "yes" if drift.alarm else "no",
            "measure": drift.measure,
            "change_std": drift.change,
            "reason": drift.reason,
        }
        for drift in drifts
    ]
    columns = ("shard", "micrographs", "reference_micrographs", "alarm", "measure", "change_std", "reason")
    return format_table(rows, columns=columns)


@dataclass(frozen=True)
class _Column:
    """The known values of one figure."""

    values: Values

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def median(self) -> float:
        return float(np.median(self.values)) if len(self.values) else math.nan

    @cached_property
    def spread(self) -> float:
        """The robust standard deviation."""
        return float(np.median(np.abs(self.values - self.median))) / _GAUSSIAN_MAD


@dataclass(frozen=True)
class _Columns:
    """The figures of some micrographs; what is computed of those of the training set serves all shards."""

    micrographs: int
    known: Mapping[str, _Column]


def _columns(rows: Sequence[Features]) -> _Columns:
    table = np.array([[features.get(key, math.nan) for key in _WATCHED] for features in rows], np.float64)
    columns = table.reshape(len(rows), len(_WATCHED)).T
    return _Columns(
        len(rows), {key: _Column(column[np.isfinite(column)]) for key, column in zip(_WATCHED, columns, strict=True)}
    )


def _change(key: str, ours: _Column, reference: _Column) -> tuple[float, float]:
    """Return the change in standard deviations of the reference, and how much of its length is certain."""
    if len(ours) < FEWEST or len(reference) < FEWEST_REFERENCE:
        return math.nan, -math.inf
    feature = FEATURES[key]
    least = feature.least * (abs(reference.median) if feature.relative else 1.0)
    spread = max(reference.spread, least, 1e-12)
    change = (ours.median - reference.median) / spread
    # The shard's own scatter counts where it is the larger one: a shard can be uneven.
    own = max(1.0, ours.spread / spread)
    error = _MEDIAN * math.sqrt(own**2 / len(ours) + 1 / len(reference))
    return change, abs(change) - CERTAINTY * error


def _reason(key: str, ours: float, reference: float) -> str:
    feature = FEATURES[key]
    unit = f" {feature.unit}".rstrip()
    return f"{feature.title} {ours:.3g}{unit}, in the training set {reference:.3g}{unit}"


def _rings_of(table: Path) -> Path:
    """Return the spectra beside a table of the stage measure."""
    return table.with_name(f"{table.stem}_rings.csv")


def _find(output: Path, shard: str, table: Path) -> Found:
    """Return role and figures of each micrograph of a shard that was measured, in the order of `_WATCHED`."""
    return [
        (role, [features.get(key, math.nan) for key in _WATCHED])
        for role, features in _read_shard(output, shard, table)
    ]


def _read_shard(output: Path, shard: str, table: Path) -> Iterator[tuple[str, Features]]:
    """Give role and figures of each micrograph of a shard that was measured."""
    rings: dict[str, list[dict[str, str]]] = {}
    for ring in read_table(_rings_of(table)):
        rings.setdefault(ring["micrograph"], []).append(ring)
    known = {}
    path = output / "halves" / f"{shard}.star"
    if path.is_file():
        halves = read_star(path).get("micrographs")
        if halves is None:
            raise BadFileError(path, "holds no data_micrographs", expected="the table of the stage halves")
        known = {row["rlnMicrographName"]: row for row in halves.rows()}
    for row in read_table(table):
        name = row["micrograph"]
        if name not in rings:
            continue
        features: Features = {key: number(row, key) for key in ("snr_raw_db", "corr_near_nyquist")}
        excess, signal = number(row, "excess_error_power_std2"), number(row, "signal_power_std2")
        features["excess_error_db"] = decibels(excess, signal)
        features |= {key: MEASURES[key].of(known.get(name, {})) for key in ("intensity", "defocus")}
        yield row.get("used_for_training") or "none", features | _spectrum(rings[name])


def _spectrum(rings: Sequence[Mapping[str, str]]) -> Features:
    """Return the pixel size, and signal and noise in bands, from the rings of a micrograph."""
    frequency, signal, noise = (
        np.array([number(ring, column) for ring in rings])
        for column in ("spatial_frequency_per_A", "signal_power_std2", "noise_power_std2")
    )
    features = {"pixel_size": 0.5 / float(frequency[-1])}
    for low, high in itertools.pairwise(_BANDS):
        band = (frequency >= 1 / low) & (frequency < 1 / high)
        power = float(noise[band].sum())
        if power > 0 and frequency[-1] >= 1 / high:
            share = max(float(signal[band].sum()) / power, _FAINTEST)
            features[f"signal_{low:g}_{high:g}A_db"] = decibels(share, 1.0)
            features[f"noise_{low:g}_{high:g}A_db"] = decibels(power, float(noise.sum()))
    return features
