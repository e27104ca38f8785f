"""STAR files of RELION, and of programs that write them for RELION, such as crYOLO.

Coordinates are 0-based pixels; the centre of the first pixel stored is (0, 0).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...errors import BadFileError
from ..star import Table
from .picks import Floats
from .places import Places, by_image, no_scores

X, Y, SCORE = "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"
_FILES = "rlnMicrographCoordinates"
IMAGE_IN_TABLE = "cryopairImageInTable"
"""Column of a list of coordinate files: what a table of many micrographs calls this one; ``""`` if it is no table."""
_IMAGE = ("cryopairImageSizeX", "cryopairImageSizeY", "cryopairPixelSize")


def is_list_of_files(blocks: Mapping[str, Table]) -> bool:
    """Tell whether a STAR file lists coordinate files by micrograph, as the picking jobs of RELION 4 and 5 write."""
    return any(_FILES in table for table in blocks.values())


def listed_files(path: str | Path, blocks: Mapping[str, Table]) -> list[tuple[str, str, str]]:
    """Return micrograph, coordinate file, and the name of the image in it, of each row of such a list.

    Raises
    ------
    BadFileError
        When it does not name the micrographs.
    """
    table = next(table for table in blocks.values() if _FILES in table)
    if "rlnMicrographName" not in table:
        raise BadFileError(path, f"lists _{_FILES} without _rlnMicrographName")
    images = table[IMAGE_IN_TABLE] if IMAGE_IN_TABLE in table else [""] * len(table)
    return list(zip(table["rlnMicrographName"], table[_FILES], images, strict=True))


def read_star_places(path: str | Path, blocks: Mapping[str, Table]) -> list[Places]:
    """Read the coordinates of one micrograph, or of all that a table of particles names.

    Particles' own shifts (``rlnOriginXAngst``) are not applied.

    Raises
    ------
    BadFileError
        When the file has no coordinates.
    """
    table = blocks["particles"] if "particles" in blocks else next(iter(blocks.values()), Table())
    if not table.labels:  # RELION leaves empty tables out
        return [Places("", no_scores(0), no_scores(0), no_scores(0))]
    if X not in table or Y not in table:
        found = ", ".join(f"_{label}" for label in table.labels[:6])
        raise BadFileError(path, f"has no coordinates ({found})", expected=f"_{X} and _{Y}")
    x, y = floats(path, table, X), floats(path, table, Y)
    score = floats(path, table, SCORE) if SCORE in table else no_scores(len(x))
    if "rlnMicrographName" in table:
        return by_image(table["rlnMicrographName"], x, y, score)
    image = blocks.get("image")
    if image is None or len(image) != 1 or not {*_IMAGE, "rlnMicrographName"} <= set(image.labels):
        return [Places("", x, y, score)]
    width, height, pixel_size = (float(image[label][0]) for label in _IMAGE)
    return [Places("", x, y, score, (int(height), int(width)), pixel_size)]


def floats(path: str | Path, table: Table, label: str) -> Floats:
    """Return a column as finite numbers.

    Raises
    ------
    BadFileError
        Naming the first value that is none.
    """
    for row, value in enumerate(table[label], start=1):
        try:
            if np.isfinite(float(value)):
                continue
        except ValueError:
            pass
        raise BadFileError(path, f"has '{value}' in row {row} of _{label}", expected="a number")
    return table.floats(label)
