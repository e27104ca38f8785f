"""Micrographs with their optics and CTF, from tables of cryoSPARC (``.cs``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadFileError
from ..formats.cryosparc import column_names, paths, read_table
from ..formats.star import Table
from ..micrographs import Micrographs

_IMAGES = ("micrograph_blob", "micrograph_blob_non_dw", "blob")
_OPTICS = {
    "ctf/accel_kv": "rlnVoltage",
    "ctf/cs_mm": "rlnSphericalAberration",
    "ctf/amp_contrast": "rlnAmplitudeContrast",
}


def read_exposures(path: str | Path) -> Micrographs:
    """Read micrographs with their pixel size, optics and CTF.

    The defocus of cryoSPARC is RELION's; its astigmatism angle is in radians.

    Raises
    ------
    BadFileError
        When the table holds no micrographs.
    """
    table = read_table(path)
    image = _image(table)
    if image is None:
        raise BadFileError(
            path,
            f"has {', '.join(groups(table))}",
            expected="micrographs (micrograph_blob)",
            fix="Give the .cs file of micrographs, as jobs for motion correction, CTF or curation export it.",
        )
    keys = [f"{image}/psize_A", *(name for name in _OPTICS if name in column_names(table))]
    values = np.stack([table[key].astype(float) for key in keys], axis=1)
    groups_found: dict[tuple[float, ...], int] = {}  # by first appearance: numbers stay as more come in
    group = [groups_found.setdefault(tuple(row), len(groups_found) + 1) for row in values.tolist()]
    unique = np.array(list(groups_found)).reshape(-1, len(keys))
    optics = Table(
        {
            "rlnOpticsGroupName": [f"opticsGroup{number}" for number in groups_found.values()],
            "rlnOpticsGroup": list(groups_found.values()),
        }
    )
    for key, column in zip(keys[1:], unique.T[1:], strict=True):
        optics[_OPTICS[key]] = column
    optics["rlnMicrographPixelSize"] = unique[:, 0]
    micrographs = Table({"rlnMicrographName": paths(table[f"{image}/path"]), "rlnOpticsGroup": group})
    if "ctf/df1_A" in column_names(table):
        first, second = (table[f"ctf/df{axis}_A"].astype(float) for axis in (1, 2))
        micrographs["rlnDefocusU"], micrographs["rlnDefocusV"] = first, second
        micrographs["rlnDefocusAngle"] = np.degrees(table["ctf/df_angle_rad"].astype(float))
    return Micrographs(optics, micrographs)


def is_of_micrographs(table: npt.NDArray[np.void]) -> bool:
    """Tell whether the rows are micrographs, and not particles."""
    return _image(table) is not None


def groups(table: npt.NDArray[np.void]) -> list[str]:
    """Return the groups of columns: ``blob`` for ``blob/path`` and ``blob/psize_A``."""
    return sorted({name.partition("/")[0] for name in column_names(table)})


def _image(table: npt.NDArray[np.void]) -> str | None:
    """Return the group that holds the micrographs' images; particles, which are images of stacks, have none."""
    names = column_names(table)
    if "blob/idx" in names:
        return None
    return next((name for name in _IMAGES if {f"{name}/path", f"{name}/psize_A"} <= set(names)), None)
