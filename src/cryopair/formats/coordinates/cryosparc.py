"""Locations of particles in tables of cryoSPARC.

They are fractions of the micrograph's width and height, rows counted as they are stored in the MRC: cryosparc-tools
multiplies them by the shape and draws the image with its first row at the bottom. But cryoSPARC does not turn TIFF
movies upside down as RELION does, so its own micrographs, and places on them, are upside down beside RELION's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import BadFileError
from ..cryosparc import column_names, paths, read_table
from .places import Places, no_scores

_NEEDED = (
    "location/micrograph_path",
    "location/micrograph_shape",
    "location/center_x_frac",
    "location/center_y_frac",
)
_PIXEL_SIZE = "location/micrograph_psize_A"
_SCORE = "pick_stats/ncc_score"


def has_locations(table: npt.NDArray[np.void]) -> bool:
    """Tell whether a table says where particles lie."""
    return set(_NEEDED) <= set(column_names(table))


def read_locations(path: str | Path) -> list[Places]:
    """Read where particles lie, in pixels of each micrograph.

    Raises
    ------
    BadFileError
        When the table has no locations.
    """
    table = read_table(path)
    if missing := [name for name in _NEEDED if name not in column_names(table)]:
        raise BadFileError(path, f"has no {missing[0]}", expected="locations of particles on micrographs")
    shape = table["location/micrograph_shape"].astype(int)
    x = table["location/center_x_frac"].astype(float) * shape[:, 1]
    y = table["location/center_y_frac"].astype(float) * shape[:, 0]
    score = table[_SCORE].astype(float) if _SCORE in column_names(table) else no_scores(len(table))
    rows: dict[str, list[int]] = {}
    for row, image in enumerate(paths(table["location/micrograph_path"])):
        if np.isfinite([x[row], y[row], score[row]]).all():
            rows.setdefault(image, []).append(row)
    found = []
    for image, chosen in rows.items():
        height, width = shape[chosen[0]].tolist()
        pixel_size = float(table[_PIXEL_SIZE][chosen[0]]) if _PIXEL_SIZE in column_names(table) else None
        found.append(Places(image, x[chosen], y[chosen], score[chosen], (height, width), pixel_size or None))
    return found
