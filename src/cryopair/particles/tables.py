"""The STAR tables of particles, with RELION's columns in RELION's order."""

from __future__ import annotations

from pathlib import Path

from ..formats.star import Table
from ..micrographs import Row
from .sampling import Sampling

_OPTIONAL_CTF = ("rlnCtfMaxResolution", "rlnCtfFigureOfMerit")
_CTF_DEFAULTS = {"rlnDefocusAngle": 0.0, "rlnCtfBfactor": 0.0, "rlnCtfScalefactor": 1.0, "rlnPhaseShift": 0.0}
_BEAM_TILT = ("rlnBeamTiltX", "rlnBeamTiltY")
_BEAM_TILT_GROUP = "rlnBeamTiltClass"


def particle_rows(row: Row, coordinates: Table, stack: Path) -> Table:
    """Return the particles of one micrograph.

    Parameters
    ----------
    row : Row
        The micrograph.
    coordinates : Table
        Its coordinates with all their columns. What they say of the optics group, CTF and beam tilt of each particle,
        as those of a refinement do, counts more than what the micrograph says.
    stack : Path
        File of the images.
    """
    count = len(coordinates)
    table = coordinates.select(range(count))
    table["rlnImageName"] = [f"{number:06d}@{stack}" for number in range(1, count + 1)]
    values: dict[str, object] = {"rlnMicrographName": row["rlnMicrographName"]}
    if "rlnOpticsGroup" not in coordinates:
        values["rlnOpticsGroup"] = row["rlnOpticsGroup"]
    if "rlnDefocusU" in row:
        values |= {} if "rlnDefocusU" in coordinates else _ctf(row)
        if not any(label in coordinates for label in _BEAM_TILT):
            values |= {label: row[label] for label in _BEAM_TILT if label in row}
        if _BEAM_TILT_GROUP in row and _BEAM_TILT_GROUP not in coordinates:
            values[_BEAM_TILT_GROUP] = row[_BEAM_TILT_GROUP]
    for label, value in values.items():
        table[label] = [value] * count
    return table


def particle_optics(optics: Table, sampling: Sampling) -> Table:
    """Return the optics table of particles: the pixel size of the micrograph gives way to that of the images."""
    table = optics.without("rlnMicrographPixelSize")
    table["rlnImagePixelSize"] = sampling.pixel_size(optics.floats("rlnMicrographPixelSize"))
    table["rlnImageSize"] = [sampling.size] * len(optics)
    table["rlnImageDimensionality"] = [2] * len(optics)
    return table


def _ctf(row: Row) -> dict[str, object]:
    values: dict[str, object] = {label: row[label] for label in _OPTIONAL_CTF if label in row}
    values |= {"rlnDefocusU": row["rlnDefocusU"], "rlnDefocusV": row.get("rlnDefocusV", row["rlnDefocusU"])}
    return values | {label: row.get(label, default) for label, default in _CTF_DEFAULTS.items()}
