"""The stage ``handoff``: picks made on denoised images become coordinates on the raw micrographs.

The files lie where RELION's Extract job looks for them: version 3.1 by the micrograph's path and the name of
``coords_suffix_<picker>.star``, versions 4 and 5 by a table that is keyed by the raw micrograph's name.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import BadFileError
from ..formats.atomic import write_text
from ..formats.coordinates import Coordinates, Floats, read_coordinates
from ..formats.mrc import read_mrc_info
from ..formats.star import Table, write_star
from ..micrographs import Micrographs, Row, mirrored, process
from .selection import apart, inside

LOSSES = {
    "cryopairPicksOutside": "outside their micrograph",
    "cryopairPicksNearEdge": "near an edge",
    "cryopairPicksTooClose": "too close to a better one",
}
"""Why picks are dropped, by the column that counts them."""
COLUMNS = ("rlnMicrographCoordinates", *LOSSES)


def hand_off(
    micrographs: Micrographs, *, out: Path, edge_margin: float = 0.0, min_distance: float = 0.0
) -> Micrographs:
    """Write the picks of every micrograph in pixels of the raw micrograph.

    Parameters
    ----------
    micrographs : Micrographs
        Raw micrographs with ``cryopairPicks``, their picks, and ``cryopairPicker``, which made them.
    out : Path
        Folder for the coordinate files, relative to the project.
    edge_margin : float
        In Å. Picks nearer to an edge are dropped; 0 keeps all whose centre is on the micrograph, as RELION does,
        which repeats the outermost pixels where a box reaches beyond them.
    min_distance : float
        In Å. Of picks that are not farther apart, only the best is kept; 0 drops only a second one on the same pixel.

    Returns
    -------
    Micrographs
        With `COLUMNS` added: the coordinate file, and how many picks were dropped, and why.
    """

    def convert(row: Row) -> dict[str, object]:
        picks = read_coordinates(row["cryopairPicks"])
        _, height, width = read_mrc_info(row["rlnMicrographName"]).shape
        shape, pixel_size = (height, width), micrographs.pixel_size(row)
        x, y = to_raw(picks, row, shape=shape, pixel_size=pixel_size)
        on_it = inside(x, y, shape=shape)
        far_in = np.flatnonzero(inside(x, y, shape=shape, margin=edge_margin / pixel_size))
        kept = far_in[apart(x[far_in], y[far_in], picks.score[far_in], distance=min_distance / pixel_size)]
        table = Table(
            {
                "rlnCoordinateX": x[kept],
                "rlnCoordinateY": y[kept],
                "rlnAutopickFigureOfMerit": picks.score[kept],
                "rlnClassNumber": [0] * len(kept),
                "rlnAnglePsi": [0.0] * len(kept),
            }
        )
        stem = out / mirrored(row["rlnMicrographName"])
        path = stem.with_name(stem.name + suffix(row["cryopairPicker"]))
        write_star(path, {"": table})
        count = int(on_it.sum())
        dropped = (len(x) - count, count - len(far_in), len(far_in) - len(kept))
        return dict(zip(COLUMNS, (str(path), *dropped), strict=True))

    return process(micrographs, "handoff", convert, columns=COLUMNS)


def suffix(picker: str) -> str:
    """Return what ends the name of every coordinate file of a picker: RELION's ``--coord_suffix``."""
    return f"_{picker}.star"


def to_raw(picks: Coordinates, row: Row, *, shape: tuple[int, int], pixel_size: float) -> tuple[Floats, Floats]:
    """Convert picks to whole pixels of the raw micrograph.

    Images of different binning share the centre of their first pixel, as Fourier cropping leaves them. The
    result is rounded because RELION truncates, which would shift particles by half a pixel on average.

    Parameters
    ----------
    picks : Coordinates
        Picks on an image of the same field of view.
    row : Row
        The micrograph, for messages.
    shape : tuple of int
        ``(height, width)`` of the raw micrograph.
    pixel_size : float
        In Å/px, of the raw micrograph.

    Returns
    -------
    x, y : numpy.ndarray
        Shape ``(picks,)``, whole numbers; not clipped.

    Raises
    ------
    BadFileError
        When the two images cannot show the same field of view.
    """
    scale = picks.pixel_size / pixel_size
    off = np.abs(np.array(picks.shape) * scale - np.array(shape))
    if np.any(off > 2 * max(scale, 1.0)):  # binned sizes are cut to even numbers
        (picked_height, picked_width), (height, width) = picks.shape, shape
        raise BadFileError(
            row["cryopairPicks"],
            f"was picked on {picks.image} with {picked_width} x {picked_height} px of {picks.pixel_size:g} Å, but "
            f"{row['rlnMicrographName']} has {width} x {height} px of {pixel_size:g} Å",
            expected="two images of the same field of view",
            fix="Check the pixel sizes, and that this is the micrograph that was denoised.",
        )
    return np.floor(picks.x * scale + 0.5), np.floor(picks.y * scale + 0.5)


def write_coordinate_files(path: str | Path, micrographs: Micrographs) -> None:
    """Write ``data_coordinate_files``, which RELION 4 and 5 take as the coordinates input of an Extract job."""
    labels = ("rlnMicrographName", "rlnMicrographCoordinates")
    write_star(path, {"coordinate_files": Table({label: micrographs.table[label] for label in labels})})


def write_coords_suffix(folder: str | Path, micrographs_star: str | Path, *, picker: str) -> Path:
    """Write ``coords_suffix_<picker>.star``, which RELION 3.1 takes as the coordinates input of an Extract job.

    Those of other pickers that worked here before are removed: their coordinates are not kept up.

    Parameters
    ----------
    folder : str or Path
        The folder that `hand_off` wrote to.
    micrographs_star : str or Path
        The STAR file of the raw micrographs, relative to the project.
    picker : str
        Which one made the coordinates.

    Returns
    -------
    Path
        The file. RELION derives the folder and the ending of the coordinate files from its name.
    """
    path = Path(folder) / f"coords_suffix{suffix(picker)}"
    for other in Path(folder).glob("coords_suffix_*.star"):
        if other != path:
            other.unlink()
    write_text(path, f"{micrographs_star}\n")
    return path
