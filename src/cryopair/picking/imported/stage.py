"""The command ``import-coordinates``: what was picked elsewhere becomes picks as our own pickers write them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from ...errors import UsageError
from ...formats.coordinates import FORMATS
from ...micrographs import Micrographs
from ..stage import pick_micrographs
from .geometry import PickedOn
from .matching import match_files
from .picker import FilesPicker


@dataclass
class Imported:
    """What `import_coordinates` gives.

    Attributes
    ----------
    micrographs : Micrographs
        Those with coordinates, with the columns of the stage ``pick``, and those that failed.
    waiting : list of str
        Micrographs without coordinates.
    """

    micrographs: Micrographs
    waiting: list[str]


def import_coordinates(
    micrographs: Micrographs,
    where: str,
    *,
    out: Path,
    picked_on: PickedOn | None = None,
    min_score: float | None = None,
    diameter: float | None = None,
) -> Imported:
    """Take over coordinates of any format.

    Parameters
    ----------
    micrographs : Micrographs
        Raw micrographs, or those that were denoised as ``denoised_micrographs.star`` lists them.
    where : str
        A file, folder or pattern: see `files.find_files`.
    out : Path
        Folder for the picks, relative to the project.
    picked_on, min_score, diameter
        See `FilesPicker`.

    Raises
    ------
    UsageError
        When no file belongs to any micrograph, or the coordinates cannot be right; the message says why.
    """
    micrographs = by_raw_name(micrographs)
    names = micrographs.table["rlnMicrographName"]
    matches = match_files(where, names)
    for line in matches.lines():
        tqdm.write(f"import-coordinates: {line}", file=sys.stderr)
    with_files = [index for index, name in enumerate(names) if name in matches.sources]
    if names and not with_files:
        raise UsageError(
            f"{where}: holds no coordinates for any of {len(names)} micrographs, such as {names[0]}. Expected files "
            f"named like the micrographs, or a table that names them; formats: {FORMATS}."
        )
    picker = FilesPicker(matches.sources, picked_on or PickedOn(), min_score, diameter)
    chosen = Micrographs(micrographs.optics, micrographs.table.select(with_files), micrographs.failed)
    waiting = [name for name in names if name not in matches.sources]
    return Imported(pick_micrographs(chosen, picker, out=out), waiting)


def by_raw_name(micrographs: Micrographs) -> Micrographs:
    """Return micrographs by their raw names, also if a list for display names the denoised ones in their place."""
    table = micrographs.table
    if "cryopairMicrographNameRaw" not in table:
        return micrographs
    raw, seen = table["cryopairMicrographNameRaw"], table["rlnMicrographName"]
    table = table.without("cryopairMicrographNameRaw")
    table["rlnMicrographName"], table["rlnMicrographNameDenoised"] = raw, seen
    return Micrographs(micrographs.optics, table, micrographs.failed)
