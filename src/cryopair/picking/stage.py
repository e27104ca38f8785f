"""The stage ``pick``: particles on the micrographs of a shard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..formats.coordinates import write_coordinates
from ..micrographs import Micrographs, Row, mirrored, process
from .pickers import Picker

COLUMNS = ("cryopairPicker", "cryopairPicks", "cryopairPickCount")


def pick_micrographs(
    micrographs: Micrographs, picker: Picker, *, out: Path, min_score: float | None = None
) -> Micrographs:
    """Pick particles on every micrograph.

    Parameters
    ----------
    micrographs : Micrographs
        With what the picker picks on.
    picker : Picker
        What finds the particles.
    out : Path
        Folder for the picks, relative to the project.
    min_score : float, optional
        Picks with a lower score are left out.

    Returns
    -------
    Micrographs
        With `COLUMNS` added: the picker's name, the file of picks, in pixels of the image that was picked on, and
        their number.
    """
    pick_one = picker.start(micrographs)

    def pick(row: Row) -> dict[str, object]:
        picks = pick_one(row)
        if min_score is not None:
            kept = picks.score >= min_score
            picks = replace(picks, x=picks.x[kept], y=picks.y[kept], score=picks.score[kept])
        stem = out / mirrored(row["rlnMicrographName"])
        path = stem.with_name(f"{stem.name}_{picker.name}.star")
        write_coordinates(path, picks)
        return dict(zip(COLUMNS, (picker.name, str(path), len(picks.x)), strict=True))

    return process(micrographs, "pick", pick, columns=COLUMNS)
