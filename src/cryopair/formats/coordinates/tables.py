"""Tables whose first line names the columns: those of Topaz, and CSV from anywhere.

Topaz writes ``image_name x_coord y_coord score`` with tabs, one table for all micrographs; scores are log-likelihood
ratios. Columns are known by name, and may stand in any order.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import BadFileError
from .places import Floats, Places, by_image, no_scores

_X = ("x_coord", "x", "center_x", "centre_x", "x_center", "coordinate_x", "rlncoordinatex")
_Y = ("y_coord", "y", "center_y", "centre_y", "y_center", "coordinate_y", "rlncoordinatey")
_SCORE = ("score", "confidence", "fom", "figure_of_merit", "rlnautopickfigureofmerit")
_IMAGE = ("image_name", "micrograph", "micrograph_name", "image", "rlnmicrographname")


def names_columns(line: str) -> bool:
    """Tell whether a line names columns of x and y."""
    names = _split(line)
    return _find(names, _X) is not None and _find(names, _Y) is not None


def read_table_places(path: str | Path, lines: Sequence[str]) -> list[Places]:
    """Read a table of one micrograph or of many.

    Raises
    ------
    BadFileError
        Naming the first line that does not fit.
    """
    header = _split(lines[0])
    rows = list(csv.reader(lines[1:], delimiter=_separator(lines[0]), skipinitialspace=True))
    rows = [[value for value in row if value] if _separator(lines[0]) == " " else row for row in rows if row]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise BadFileError(path, f"has {len(row)} values in line {number}", expected=f"{len(header)}: {lines[0]}")
    x, y = _column(path, header, rows, _X), _column(path, header, rows, _Y)
    score = _column(path, header, rows, _SCORE) if _find(header, _SCORE) is not None else no_scores(len(rows))
    image = _find(header, _IMAGE)
    if image is None:
        return [Places("", x, y, score)]
    return by_image([row[image].strip() for row in rows], x, y, score)


def _separator(line: str) -> str:
    return next((mark for mark in ("\t", ",", ";") if mark in line), " ")


def _split(line: str) -> list[str]:
    separator = _separator(line)
    names = line.split() if separator == " " else next(csv.reader([line], delimiter=separator))
    return [name.strip().lstrip("_").lower() for name in names]


def _find(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _column(path: str | Path, header: Sequence[str], rows: Sequence[Sequence[str]], names: Sequence[str]) -> Floats:
    column = _find(header, names)
    assert column is not None
    values = np.empty(len(rows))
    for number, row in enumerate(rows):
        try:
            values[number] = float(row[column])
        except ValueError:
            values[number] = np.nan
        if not np.isfinite(values[number]):
            raise BadFileError(
                path, f"has '{row[column]}' as {header[column]} in line {number + 2}", expected="a number"
            )
    return values
