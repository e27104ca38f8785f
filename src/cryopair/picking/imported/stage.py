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

    @property
    def particles(self) -> int:
        """How many particles there are."""
        return int(self.micrographs.table.ints("cryopairPickCount").sum())


def import_coordinates(
    micrographs: Micrographs,
    where: str,
    *,
    out: Path,
    picked_on: PickedOn | None = None,
    min_score: float | None = None,
    diameter: float | None = None,
    allow_none: bool = False,
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
    allow_none : bool
        Whether it is all right if there is no particle on any micrograph, as on one shard of many.

    Raises
    ------
    UsageError
        When no file belongs to any micrograph, no particle is left, or the coordinates cannot be right; the message
        says why.
    """
    micrographs = by_raw_name(micrographs)
    names = micrographs.table["rlnMicrographName"]
    matches = match_files(where, names)
    for line in matches.lines():
        tqdm.write(f"import-coordinates: {line}", file=sys.stderr)
    with_files = [index for index, name in enumerate(names) if name in matches.sources]
    if not with_files and not allow_none:
        raise UsageError(
            f"{where}: holds no coordinates for any of {len(names)} micrographs. Expected files named "
            f"like the micrographs, or a table that names them; formats: {FORMATS}."
        )
    picker = FilesPicker(matches.sources, picked_on or PickedOn(), min_score, diameter)
    chosen = Micrographs(micrographs.optics, micrographs.table.select(with_files), micrographs.failed)
    waiting = [name for name in names if name not in matches.sources]
    imported = Imported(pick_micrographs(chosen, picker, out=out), waiting)
    if not imported.particles and not allow_none:
        raise UsageError(
            f"{where}: no particle is left on any micrograph. The files are empty, or all scores are below the "
            "threshold."
        )
    return imported


def by_raw_name(micrographs: Micrographs) -> Micrographs:
    """Return micrographs by their raw names, also if a list for display names the denoised ones in their place."""
    table = micrographs.table
    if "cryopairMicrographNameRaw" not in table:
        return micrographs
    raw, seen = table["cryopairMicrographNameRaw"], table["rlnMicrographName"]
    table = table.without("cryopairMicrographNameRaw")
    table["rlnMicrographName"], table["rlnMicrographNameDenoised"] = raw, seen
    return Micrographs(micrographs.optics, table, micrographs.failed)
