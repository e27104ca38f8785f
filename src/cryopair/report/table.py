"""Tables that the page sorts, filters and turns the pages of, however long they are.

The page gets the values once, column by column, as JSON; the script makes the rows that are looked at. The first
rows are in the page as they are, for print and for browsers without scripts.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..formats.atomic import write_text
from .data import MicrographResult
from .formatting import fixed

PAGE = 100
"""Rows that are shown at a time."""
MOST = 50_000
"""Rows that the page holds at most, to keep it small; the CSV beside it has all."""

_ALWAYS = ("snr_raw_db", "snr_denoised_db", "bias_db", "correlation_even_odd", "motion_A")
"""Columns that are there also where nothing is known."""

Value = float | str | None


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Attributes
    ----------
    key : str
        Its name in the CSV, with the unit.
    heading, unit : str
        What the page calls it.
    values : sequence
        Numbers, where unknown ones are None or NaN, or texts.
    digits : int or None
        Decimals of numbers; None for texts.
    """

    key: str
    heading: str
    values: Sequence[Value]
    unit: str = ""
    digits: int | None = None


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table of the page.

    Attributes
    ----------
    name : str
        Unique on the page.
    label : str
        What a screen reader says.
    columns : sequence of Column
        Of equal length; the one called ``name`` names the row.
    chips : mapping of int to str
        Row → words beside its name.
    reasons : mapping of int to str
        Row → why it is to be looked at.
    links : mapping of int to str
        Row → key of its images in the gallery.
    """

    name: str
    label: str
    columns: Sequence[Column]
    chips: Mapping[int, str]
    reasons: Mapping[int, str]
    links: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.columns[0].values)

    @property
    def held(self) -> int:
        """How many rows the page holds."""
        return min(len(self), MOST)

    @property
    def first_rows(self) -> list[list[tuple[Column, Value, str]]]:
        """Rows that are in the page as they are: column, value to sort by, and text of each cell."""
        return [[self._cell(column, row) for column in self.columns] for row in range(min(len(self), PAGE))]

    def _cell(self, column: Column, row: int) -> tuple[Column, Value, str]:
        value = _known(column.values[row])
        if column.digits is None:
            return column, value, str(value or "")
        return column, value, fixed(None if value is None else float(value), column.digits)

    def as_json(self) -> Markup:
        """Return what the script needs, safe inside a ``<script>`` element."""
        columns = [
            {"key": c.key, "digits": c.digits, "values": [_short(c, value) for value in c.values[:MOST]]}
            for c in self.columns
        ]
        values: dict[str, Any] = {"page": PAGE, "columns": columns}
        for name in ("chips", "reasons", "links"):
            values[name] = {row: text for row, text in getattr(self, name).items() if row < MOST}
        text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return Markup(text.replace("<", "\\u003c"))

    def write_csv(self, path: Path) -> None:
        """Write all rows, with the reasons in the last column."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*(column.key for column in self.columns), "stands_out"])
        for row in range(len(self)):
            cells = [_known(column.values[row]) for column in self.columns]
            writer.writerow([*("" if cell is None else cell for cell in cells), self.reasons.get(row, "")])
        write_text(path, stream.getvalue())


def micrograph_grid(micrographs: Sequence[MicrographResult], *, shown: Collection[str]) -> Grid:
    """Return the table of a session's micrographs.

    Parameters
    ----------
    micrographs : sequence of MicrographResult
        In the order of collection.
    shown : collection of str
        Keys of those in the gallery.
    """
    columns = [
        Column(key="number", heading="#", values=[m.number for m in micrographs], digits=0),
        Column(key="name", heading="Micrograph", values=[m.label for m in micrographs]),
    ]
    for key, heading, unit, digits, values in (
        ("snr_raw_db", "SNR raw", "dB", 1, [m.snr_raw for m in micrographs]),
        ("snr_denoised_db", "SNR denoised", "dB", 1, [m.snr_denoised for m in micrographs]),
        ("bias_db", "Bias", "dB", 1, [m.bias for m in micrographs]),
        ("correlation_even_odd", "Correlation", "even/odd", 3, [m.corr_even_odd for m in micrographs]),
        ("motion_A", "Motion", "Å", 1, [m.motion for m in micrographs]),
        ("defocus_um", "Defocus", "µm", 2, [m.defocus / 1e4 for m in micrographs]),
        ("ctf_resolution_A", "CTF fit", "Å", 1, [_measure(m, "ctf_resolution") for m in micrographs]),
        ("contamination_percent", "Dirt", "%", 0, [100 * _measure(m, "contamination") for m in micrographs]),
        ("carbon_percent", "Carbon", "%", 0, [100 * _measure(m, "carbon") for m in micrographs]),
        ("picks", "Picks", "", 0, [m.picks for m in micrographs]),
    ):
        if key in _ALWAYS or any(_known(value) is not None for value in values):
            columns.append(Column(key=key, heading=heading, unit=unit, digits=digits, values=values))
    return Grid(
        name="micrographs",
        label="Table of micrographs",
        columns=columns,
        chips={row: chip for row, m in enumerate(micrographs) if (chip := _chip(m))},
        reasons={row: "; ".join(m.flags) for row, m in enumerate(micrographs) if m.flags},
        links={row: str(m.number) for row, m in enumerate(micrographs) if str(m.number) in shown},
    )


def _measure(m: MicrographResult, name: str) -> float:
    return m.measures.get(name, math.nan)


def _chip(m: MicrographResult) -> str:
    return "excluded" if m.excluded else "held out" if m.held_out else ""


def _known(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _short(column: Column, value: Value) -> Value:
    """Round to what the page can show, and one digit more to sort by."""
    value = _known(value)
    return round(value, column.digits + 1) if isinstance(value, float) and column.digits is not None else value
