"""Lines of bare numbers: boxes of EMAN (``.box``), or plain centres.

A box is ``x y width height``, with or without a score behind; x and y are its corner at the first pixel stored, so
that nothing is flipped. Its centre is the pixel ``width / 2`` after it, as RELION and EMAN have it. Two numbers in a
line are a centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import BadFileError
from .places import Places, no_scores

_HELIX = {-1.0, -2.0}  # EMAN 1 marks the two ends of a filament's boxes with these


def read_box_places(path: str | Path, lines: Sequence[str]) -> list[Places]:
    """Read lines of numbers, all with the same count.

    Raises
    ------
    BadFileError
        Naming the first line that is none, or what the numbers seem to be instead.
    """
    rows = [_numbers(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    count = len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != count:
            raise BadFileError(path, f"has {len(row)} numbers in line {number} and {count} in the first")
    columns = np.array(rows).T
    if count == 2:
        return [Places("", columns[0], columns[1], no_scores(len(rows)))]
    if count == 3:
        raise BadFileError(
            path,
            "has three numbers in each line, which may mean many things",
            expected="'x y', or EMAN's 'x y width height', or a first line that names the columns",
        )
    x, y, width, height, *others = columns
    if not ((width > 0) & (height > 0)).all():
        raise BadFileError(path, "has boxes without a size", expected="'x y width height' in each line")
    if others and set(others[0]) <= _HELIX:
        raise BadFileError(path, "has filaments (-1 and -2 in the fifth column)", expected="boxes of single particles")
    return [Places("", x + width / 2, y + height / 2, others[0] if others else no_scores(len(rows)))]


def is_numbers(line: str) -> bool:
    """Tell whether a line holds two finite numbers or more, and nothing else."""
    values = line.replace(",", " ").split()
    try:
        return len(values) >= 2 and bool(np.isfinite([float(value) for value in values]).all())
    except ValueError:
        return False


def _numbers(path: str | Path, number: int, line: str) -> list[float]:
    if not is_numbers(line):
        raise BadFileError(path, f"line {number} is '{line.strip()[:40]}'", expected="numbers, as in its first line")
    return [float(value) for value in line.replace(",", " ").split()]
