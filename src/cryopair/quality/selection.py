"""Limits that keep bad micrographs out of training, picking or extraction. What is kept out is listed, never lost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..errors import UsageError
from ..formats.star import Table
from ..micrographs import Micrographs, Row

EXCLUDED_LABELS = ("rlnMicrographName", "cryopairReason")


@dataclass(frozen=True)
class Measure:
    """Something known of each micrograph before anything is trained.

    Attributes
    ----------
    title : str
        For people.
    label : str
        Of its column in the micrographs STAR.
    unit : str
        Empty for what has none.
    """

    title: str
    label: str
    unit: str = ""

    def of(self, row: Row) -> float:
        """Return the value for a micrograph; NaN where it is not known."""
        try:
            value = float(row[self.label])
            return (value + float(row.get("rlnDefocusV", value))) / 2 if self.label == "rlnDefocusU" else value
        except (KeyError, ValueError):
            return math.nan

    def text(self, value: float) -> str:
        """Format a value with its unit."""
        return f"{value:.4g} {self.unit}".rstrip()


MEASURES: Mapping[str, Measure] = {
    "motion_early": Measure("early motion", "cryopairMotionEarly", "Å"),
    "motion_late": Measure("late motion", "cryopairMotionLate", "Å"),
    "intensity": Measure("intensity", "cryopairIntensity", "counts/px"),
    "contamination": Measure("contaminated share", "cryopairContamination"),
    "carbon": Measure("share of carbon", "cryopairCarbon"),
    "correlation": Measure("correlation of the halves", "cryopairCorrelationEvenOdd"),
    "defocus": Measure("defocus", "rlnDefocusU", "Å"),
    "ctf_resolution": Measure("resolution of the CTF fit", "rlnCtfMaxResolution", "Å"),
}
"""By the name that limits have after ``min_`` or ``max_``."""


@dataclass(frozen=True)
class Limit:
    """The least or the largest value of a measure that a micrograph may have."""

    side: Literal["min", "max"]
    measure: Measure
    value: float

    @classmethod
    def parse(cls, name: str, value: str | float) -> Limit:
        """Make a limit of its name, such as ``max_motion_early``, and its value.

        Raises
        ------
        UsageError
            When there is no such limit, or the value is no number.
        """
        side, _, measure = name.partition("_")
        if side not in ("min", "max") or measure not in MEASURES:
            raise UsageError(f"there is no limit '{name}'; expected min_ or max_ and one of {', '.join(MEASURES)}.")
        try:
            return cls("min" if side == "min" else "max", MEASURES[measure], float(value))
        except ValueError:
            raise UsageError(f"the limit {name} is '{value}'; expected a number.") from None

    def reason(self, row: Row) -> str | None:
        """Say why a micrograph is beyond this limit; None if it is not, or if the measure is not known."""
        value = self.measure.of(row)
        if not (value > self.value if self.side == "max" else value < self.value):
            return None
        beyond = "above" if self.side == "max" else "below"
        return f"{self.measure.title} {self.measure.text(value)} is {beyond} {self.measure.text(self.value)}"


def select(micrographs: Micrographs, limits: Mapping[str, str | float]) -> tuple[Micrographs, Table]:
    """Divide micrographs by limits.

    Parameters
    ----------
    micrographs : Micrographs
        With the columns of the stage ``halves``.
    limits : mapping of str to float
        For instance ``{"max_motion_early": 5}``. Without any, all are kept.

    Returns
    -------
    Micrographs
        Those within all limits.
    Table
        The others, with `EXCLUDED_LABELS`.

    Raises
    ------
    UsageError
        When there is no such limit.
    """
    parsed = [Limit.parse(name, value) for name, value in limits.items()]
    kept: list[int] = []
    excluded: list[Mapping[str, object]] = []
    for index, row in enumerate(micrographs.table.rows()):
        reasons = [reason for limit in parsed if (reason := limit.reason(row))]
        if reasons:
            excluded.append(dict(zip(EXCLUDED_LABELS, (row["rlnMicrographName"], "; ".join(reasons)), strict=True)))
        else:
            kept.append(index)
    within = Micrographs(micrographs.optics, micrographs.table.select(kept), micrographs.failed)
    return within, Table.from_rows(excluded, EXCLUDED_LABELS)
