"""Coordinates of picks, one STAR file per micrograph.

Two kinds exist. *Picks* are in the pixels of the image that was picked on, and the file says which image
that was and how its pixels are scaled. *Coordinates* are in pixels of the raw micrograph, as in RELION's
AutoPick jobs. Both have the coordinates in their first, nameless block, which is the only one RELION reads.

x is the column and y the row, counted from 0 at the centre of the first stored pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import BadFileError
from ..star import Table, read_star, require, write_star

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Coordinates:
    """Picks on one image, and what image that was.

    Attributes
    ----------
    x, y : numpy.ndarray
        Column and row of each pick, shape ``(picks,)``, in pixels of `image`.
    score : numpy.ndarray
        Figure of merit of each pick, shape ``(picks,)``; higher is better.
    image : str
        The image that was picked on.
    shape : tuple of int
        ``(height, width)`` of that image.
    pixel_size : float
        In Å/px, of that image.
    """

    x: Floats
    y: Floats
    score: Floats
    image: str
    shape: tuple[int, int]
    pixel_size: float


def write_coordinates(path: str | Path, coordinates: Coordinates) -> None:
    """Write picks with the image that they were made on (block ``data_image``), whole or not at all."""
    height, width = coordinates.shape
    picks = Table(
        {
            "rlnCoordinateX": coordinates.x,
            "rlnCoordinateY": coordinates.y,
            "rlnAutopickFigureOfMerit": coordinates.score,
        }
    )
    image = Table(
        {
            "rlnMicrographName": [coordinates.image],
            "cryopairImageSizeX": [width],
            "cryopairImageSizeY": [height],
            "cryopairPixelSize": [coordinates.pixel_size],
        }
    )
    write_star(path, {"": picks, "image": image})


def read_coordinates(path: str | Path) -> Coordinates:
    """Read picks written by `write_coordinates`.

    Raises
    ------
    BadFileError
        When the file is missing, or does not say what was picked where.
    """
    blocks = read_star(path)
    fix = "Only picks made by cryopair can be scaled to the raw micrograph: pick again with this version."
    picks = require(path, blocks, "", "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit", fix=fix)
    labels = ("rlnMicrographName", "cryopairImageSizeX", "cryopairImageSizeY", "cryopairPixelSize")
    image = require(path, blocks, "image", *labels, fix=fix)
    if len(image) != 1:
        raise BadFileError(path, f"names {len(image)} images in data_image", expected="one", fix=fix)
    return Coordinates(
        x=picks.floats("rlnCoordinateX"),
        y=picks.floats("rlnCoordinateY"),
        score=picks.floats("rlnAutopickFigureOfMerit"),
        image=image["rlnMicrographName"][0],
        shape=(int(image.ints("cryopairImageSizeY")[0]), int(image.ints("cryopairImageSizeX")[0])),
        pixel_size=float(image["cryopairPixelSize"][0]),
    )


def read_coordinate_table(path: str | Path) -> Table:
    """Read the first block of a RELION coordinate STAR with all its columns.

    Raises
    ------
    BadFileError
        When the file is missing or its first block has no coordinates.
    """
    blocks = read_star(path)
    first = next(iter(blocks), "")
    return require(path, blocks, first, "rlnCoordinateX", "rlnCoordinateY", fix="A RELION coordinate file has them.")
