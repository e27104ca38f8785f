"""The command ``export-coordinates``: coordinates on the raw micrographs, for programs other than RELION."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..errors import BadFileError, UsageError
from ..formats.coordinates import Places, read_places
from ..formats.coordinates.star import is_list_of_files, listed_files
from ..formats.coordinates.writing import write_boxes, write_csv, write_star_of_all, write_topaz_table
from ..formats.star import read_star
from ..micrographs import mirrored

FORMATS = ("box", "topaz", "csv", "cryosparc")
_TABLES = {
    "topaz": (write_topaz_table, "coordinates.txt"),
    "csv": (write_csv, "coordinates.csv"),
    "cryosparc": (write_star_of_all, "cryosparc.star"),
}


def export_coordinates(star: str | Path, *, out: Path, as_format: str, box: int | None = None) -> tuple[int, list[str]]:
    """Write coordinates in another format.

    Parameters
    ----------
    star : str or Path
        ``coordinates.star``, the table of the stage ``handoff``, or the list of a picking job of RELION 4 or 5.
    out : Path
        Folder to write to.
    as_format : str
        One of `FORMATS`.
    box : int, optional
        Side of the boxes in pixels of the micrograph.

    Returns
    -------
    particles : int
        How many there are.
    files : list of str
        What was written.

    Raises
    ------
    BadFileError
        When `star` lists no coordinate files.
    UsageError
        When boxes have no size.
    """
    blocks = read_star(star)
    if not is_list_of_files(blocks):
        raise BadFileError(
            star, "lists no coordinate files", expected="coordinates.star, or the table of cryopair handoff"
        )
    images = [_of(name, file) for name, file, _ in listed_files(star, blocks)]
    if as_format == "box":
        if box is None:
            raise UsageError("Boxes have a size: give --box, in pixels of the micrograph.")
        files = [str(out / mirrored(places.image)) + ".box" for places in images]
        for path, places in zip(files, images, strict=True):
            write_boxes(path, places, box=box)
    else:
        write, name = _TABLES[as_format]
        files = [str(out / name)]
        write(files[0], images)
    return sum(map(len, images)), files


def _of(micrograph: str, file: str) -> Places:
    found = read_places(file)
    if len(found) != 1:
        raise BadFileError(file, f"is a table of {len(found)} images", expected="the coordinates of one micrograph")
    return replace(found[0], image=micrograph)
