"""The CSV files of measures: six digits, and nothing where something could not be estimated."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path


def format_table(rows: Sequence[Mapping[str, object]], *, columns: Sequence[str] = ("micrograph",)) -> str:
    """Return rows as CSV; the columns are those of the first row, or `columns` where there are no rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _format(value) for key, value in row.items()})
    return text.getvalue()


def read_table(path: str | Path) -> list[dict[str, str]]:
    """Read a CSV file; no rows if there is none."""
    path = Path(path)
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def number(row: Mapping[str, str], column: str) -> float:
    """Return a value; NaN where it could not be estimated, or there is no such column."""
    text = row.get(column)
    return float(text) if text else math.nan


def _format(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value
