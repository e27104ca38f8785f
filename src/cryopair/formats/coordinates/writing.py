"""Coordinates for other programs: boxes of EMAN, tables of Topaz, CSV, STAR. `box`, `tables` say what they mean."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...errors import UsageError
from ..atomic import write_text
from ..star import Table, write_star
from .places import NO_SCORE, Places


def write_boxes(path: str | Path, places: Places, *, box: int) -> None:
    """Write the boxes of one image (``.box``), with their scores if it has any.

    Parameters
    ----------
    box : int
        Even side of the boxes in pixels of the image.

    Raises
    ------
    UsageError
        When the box is not even, so that its centre would lie between pixels.
    """
    if box <= 0 or box % 2:
        raise UsageError(f"The boxes are {box} px wide; expected an even number above 0.")
    scores = [""] * len(places)
    if (places.score != NO_SCORE).any():
        scores = [f"\t{score:.6g}" for score in places.score]
    corners = zip(places.x - box // 2, places.y - box // 2, scores, strict=True)
    write_text(path, "".join(f"{_short(x)}\t{_short(y)}\t{box}\t{box}{score}\n" for x, y, score in corners))


def write_topaz_table(path: str | Path, images: Iterable[Places]) -> None:
    """Write one table of all images as Topaz does; it calls an image by its name without folder and extension.

    Raises
    ------
    UsageError
        When two images have one name.
    """
    by_stem: dict[str, Places] = {}
    for places in images:
        stem = Path(places.image).stem
        if stem in by_stem:
            raise UsageError(
                f"{places.image} and {by_stem[stem].image} are both '{stem}' in a table of Topaz. Export them one "
                "after the other, or as CSV, which has their folders."
            )
        by_stem[stem] = places
    lines = [line for stem, places in by_stem.items() for line in _lines(stem, places, "\t")]
    write_text(path, "\n".join(["image_name\tx_coord\ty_coord\tscore", *lines]) + "\n")


def write_csv(path: str | Path, images: Iterable[Places]) -> None:
    """Write one table of all images, with commas."""
    lines = [line for places in images for line in _lines(f'"{places.image}"', places, ",")]
    write_text(path, "\n".join(["micrograph,x,y,score", *lines]) + "\n")


def write_star_of_all(path: str | Path, images: Iterable[Places]) -> None:
    """Write one STAR of all images: RELION's coordinates, each with its micrograph.

    The block has no name, as in the table that crYOLO writes for cryoSPARC: it needs no optics groups beside it.
    """
    images = list(images)
    places = Table(
        {
            "rlnMicrographName": [found.image for found in images for _ in range(len(found))],
            "rlnCoordinateX": [x for found in images for x in found.x],
            "rlnCoordinateY": [y for found in images for y in found.y],
            "rlnAutopickFigureOfMerit": [score for found in images for score in found.score],
        }
    )
    write_star(path, {"": places})


def _lines(name: str, places: Places, separator: str) -> list[str]:
    rows = zip(places.x, places.y, places.score, strict=True)
    return [separator.join([name, _short(x), _short(y), f"{score:.6g}"]) for x, y, score in rows]


def _short(value: float) -> str:
    """Return a coordinate to a hundredth of a pixel, without noughts at its end."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
