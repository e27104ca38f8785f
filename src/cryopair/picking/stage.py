"""The stage ``pick``: particles on the denoised micrographs of a shard."""

from __future__ import annotations

from pathlib import Path

from ..formats.coordinates import Coordinates, write_coordinates
from ..formats.mrc import read_mrc
from ..micrographs import Micrographs, Row, mirrored, process
from .log import pick_particles

COLUMNS = ("cryopairPicks", "cryopairPickCount")


def pick_micrographs(micrographs: Micrographs, *, diameter: float, out: Path) -> Micrographs:
    """Pick particles on every denoised micrograph.

    Parameters
    ----------
    micrographs : Micrographs
        With ``rlnMicrographNameDenoised``.
    diameter : float
        Particle diameter in Å.
    out : Path
        Folder for the picks, relative to the project.

    Returns
    -------
    Micrographs
        With `COLUMNS` added: the file of picks, in pixels of the denoised image, and their number.
    """

    def pick(row: Row) -> dict[str, object]:
        name = row["rlnMicrographNameDenoised"]
        image, pixel_size = read_mrc(name), micrographs.pixel_size(row)
        picks = pick_particles(image, pixel_size=pixel_size, diameter=diameter)
        stem = out / mirrored(row["rlnMicrographName"])
        path = stem.with_name(f"{stem.name}_log.star")
        height, width = image.shape
        write_coordinates(path, Coordinates(picks.x, picks.y, picks.score, name, (height, width), pixel_size))
        return dict(zip(COLUMNS, (str(path), len(picks)), strict=True))

    return process(micrographs, "pick", pick, columns=COLUMNS)
