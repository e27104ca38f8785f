"""Boxes of crYOLO (``.cbox``): a STAR file with the lower left corner of each box and its confidence.

crYOLO writes all boxes that it has found, also those below the threshold it was run with.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...errors import BadFileError
from ..star import Table, require
from .places import Places
from .star import floats

BLOCK = "cryolo"
_MISSING = ("<NA>", "nan", "")


def read_cbox_places(path: str | Path, blocks: Mapping[str, Table]) -> list[Places]:
    """Read the centres of all boxes.

    Raises
    ------
    BadFileError
        When columns are missing, or the boxes are those of a tomogram.
    """
    table = require(path, blocks, BLOCK, "CoordinateX", "CoordinateY", "Width", "Height", "Confidence")
    if any(value not in _MISSING for value in table["CoordinateZ"] if "CoordinateZ" in table):
        raise BadFileError(path, "has boxes of a tomogram", expected="boxes on a micrograph, without _CoordinateZ")
    left, low, width, height, score = (
        floats(path, table, label) for label in ("CoordinateX", "CoordinateY", "Width", "Height", "Confidence")
    )
    return [Places("", left + width / 2, low + height / 2, score)]
