"""Commands about coordinates: taking them over, and giving them to others."""

from __future__ import annotations

import argparse
from pathlib import Path

from .limits import within_limits
from .replaced import current


def add_import_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``import-coordinates`` beyond those of every stage."""
    add = sub.add_argument
    add(
        "--from",
        dest="source",
        required=True,
        metavar="X",
        help="file, folder, pattern such as 'Picks/*_mine.star', or the autopick.star or coords_suffix file of a job. "
        "RELION STAR, EMAN .box, crYOLO .cbox or .star, table of Topaz, cryoSPARC .cs, CSV; known by content",
    )
    add("--pixel-size", type=float, metavar="Å", help="of the images that were picked on, in Å/px")
    add("--binning", type=float, metavar="B", help="or pixels of the micrograph per pixel of theirs, and axis")
    add(
        "--origin",
        type=float,
        nargs=2,
        default=(0.0, 0.0),
        metavar=("X", "Y"),
        help="where their first pixel lies on the micrograph, in pixels of the micrograph; below 0 if they were padded "
        "(default: 0 0)",
    )
    add("--flip-y", action="store_true", help="their rows count from the other end, as cryoSPARC's beside RELION's")
    add("--min-score", type=float, metavar="S", help="leave out particles with a lower score, such as 0.3 of crYOLO")
    add("--diameter", type=float, metavar="Å", help="of the particles: sharpens the test for flipped coordinates")
    add("--allow-none", action="store_true", help="do not fail if there is no particle at all")


def import_coordinates(options: argparse.Namespace) -> int:
    """Take over coordinates of any format."""
    from ..micrographs import read_micrographs, write_micrographs
    from ..picking.imported.geometry import PickedOn
    from ..picking.imported.stage import import_coordinates

    left, top = options.origin
    imported = import_coordinates(
        within_limits(options, current(options, read_micrographs(options.star))),
        options.source,
        out=options.out,
        picked_on=PickedOn(options.pixel_size, options.binning, (left, top), options.flip_y),
        min_score=options.min_score,
        diameter=options.diameter,
        allow_none=options.allow_none,
    )
    table: Path = options.table or options.out / f"{options.name}.star"
    micrographs, waiting = imported.micrographs, imported.waiting
    write_micrographs(table, micrographs)
    parts = [f"{len(micrographs.table)} micrographs done", f"{imported.particles} particles"]
    parts += [f"{len(waiting)} without coordinates, the first is {waiting[0]}"] if waiting else []
    parts += [f"{len(micrographs.failed)} failed"] if len(micrographs.failed) else []
    print(f"import-coordinates: {', '.join(parts)}; in {table}")
    return 0


def add_export_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``export-coordinates``."""
    add = sub.add_argument
    add("star", type=Path, metavar="COORDINATES", help="coordinates.star, or the table of cryopair handoff")
    add("--out", type=Path, required=True, help="folder to write to")
    add(
        "--format",
        dest="as_format",
        choices=("box", "topaz", "csv", "cryosparc"),
        required=True,
        help="box: EMAN's and crYOLO's, a file for each micrograph; topaz, csv, cryosparc (STAR): one table",
    )
    add("--box", type=int, metavar="PX", help="side of the boxes in pixels of the micrograph, even")


def export_coordinates(options: argparse.Namespace) -> int:
    """Write coordinates for other programs."""
    from ..particles.export import export_coordinates

    count, files = export_coordinates(options.star, out=options.out, as_format=options.as_format, box=options.box)
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    print(f"export-coordinates: {count} particles in {files[0] if files else 'no file'}{more}")
    return 0
