"""Tables of cryoSPARC (``.cs``), read only: micrographs with their optics, and where particles lie.

They are NumPy arrays of records. Nothing in them is run: arrays of Python objects are refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import BadFileError
from ..formats.star import Table
from ..micrographs import Micrographs

_IMAGES = ("micrograph_blob", "micrograph_blob_non_dw", "blob")
_MAX_HEADER = 1_000_000  # bytes: NumPy's own limit is less than tables with many classes have
_OPTICS = {
    "ctf/accel_kv": "rlnVoltage",
    "ctf/cs_mm": "rlnSphericalAberration",
    "ctf/amp_contrast": "rlnAmplitudeContrast",
}


def read_table(path: str | Path) -> npt.NDArray[np.void]:
    """Read a table of cryoSPARC.

    Raises
    ------
    BadFileError
        When it is none, is damaged, or holds Python objects, which are never loaded.
    """
    try:
        # Mapped, so that no memory is asked for that the file does not fill; it takes no Python objects.
        table: npt.NDArray[np.void] = np.lib.format.open_memmap(path, mode="r", max_header_size=_MAX_HEADER)
    except FileNotFoundError:
        raise BadFileError(path, "no such file", expected="a table of cryoSPARC") from None
    except (ValueError, OSError, EOFError, TypeError, SyntaxError, OverflowError) as error:
        raise BadFileError(path, f"is not a table of cryoSPARC ({' '.join(str(error).split())})") from None
    if table.dtype.names is None or table.ndim != 1:
        raise BadFileError(path, f"holds an array of {table.dtype}", expected="records of cryoSPARC")
    return table


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
    keys = [f"{image}/psize_A", *(name for name in _OPTICS if name in _names(table))]
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
    micrographs = Table({"rlnMicrographName": _paths(table[f"{image}/path"]), "rlnOpticsGroup": group})
    if "ctf/df1_A" in _names(table):
        first, second = (table[f"ctf/df{axis}_A"].astype(float) for axis in (1, 2))
        micrographs["rlnDefocusU"], micrographs["rlnDefocusV"] = first, second
        micrographs["rlnDefocusAngle"] = np.degrees(table["ctf/df_angle_rad"].astype(float))
    return Micrographs(optics, micrographs)


def read_locations(path: str | Path) -> dict[str, npt.NDArray[np.float64]]:
    """Read where particles lie.

    Returns
    -------
    dict
        Micrograph → array of shape ``(particles, 2)``, x and y in pixels of the micrograph, rows counted as they
        are stored.

    Raises
    ------
    BadFileError
        When the table has no locations.
    """
    table = read_table(path)
    needed = (
        "location/micrograph_path",
        "location/micrograph_shape",
        "location/center_x_frac",
        "location/center_y_frac",
    )
    if missing := [name for name in needed if name not in _names(table)]:
        raise BadFileError(path, f"has no {missing[0]}", expected="locations of particles on micrographs")
    height, width = table["location/micrograph_shape"].astype(float).T
    x, y = table["location/center_x_frac"] * width, table["location/center_y_frac"] * height
    found: dict[str, list[tuple[float, float]]] = {}
    for name, *place in zip(_paths(table["location/micrograph_path"]), x, y, strict=True):
        if all(map(math.isfinite, place)):
            found.setdefault(name, []).append((place[0], place[1]))
    return {name: np.array(places) for name, places in found.items()}


def is_of_micrographs(table: npt.NDArray[np.void]) -> bool:
    """Tell whether the rows are micrographs, and not particles."""
    return _image(table) is not None


def groups(table: npt.NDArray[np.void]) -> list[str]:
    """Return the groups of columns: ``blob`` for ``blob/path`` and ``blob/psize_A``."""
    return sorted({name.partition("/")[0] for name in _names(table)})


def _image(table: npt.NDArray[np.void]) -> str | None:
    """Return the group that holds the micrographs' images; particles, which are images of stacks, have none."""
    names = _names(table)
    if "blob/idx" in names:
        return None
    return next((name for name in _IMAGES if {f"{name}/path", f"{name}/psize_A"} <= set(names)), None)


def _names(table: npt.NDArray[np.void]) -> Sequence[str]:
    return table.dtype.names or ()


def _paths(column: npt.NDArray[np.bytes_]) -> list[str]:
    """Return paths relative to the cryoSPARC project; some versions mark them by ``>``."""
    return [value.decode("utf-8", "replace").removeprefix(">") for value in column.tolist()]
