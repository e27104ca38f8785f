"""Commands about coordinates: taking them over, handing picks to the raw micrographs, and giving them to others."""

from __future__ import annotations

import argparse
from pathlib import Path

from .limits import add_limits, within_limits
from .replaced import current
from .stage import add_stage, finish, table_of


def add_import_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``import-coordinates``."""
    add_stage(sub)
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
    add_limits(sub)


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
    write_micrographs(table_of(options), imported.micrographs)
    waiting = imported.waiting
    more = [f"{len(waiting)} without coordinates, the first is {waiting[0]}"] if waiting else []
    return finish(options, imported.micrographs, f"{imported.particles} particles", *more)


def add_handoff_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``handoff``."""
    add_stage(sub)
    add = sub.add_argument
    add(
        "--edge-margin",
        type=float,
        default=0.0,
        metavar="Å",
        help="drop picks nearer to an edge (default: keep all whose centre is on the micrograph, as RELION does)",
    )
    add(
        "--min-distance",
        type=float,
        default=0.0,
        metavar="Å",
        help="of picks nearer to each other keep the best (default: drop only a second one on the same pixel)",
    )


def handoff(options: argparse.Namespace) -> int:
    """Hand picks to the raw micrographs."""
    from ..micrographs import read_micrographs, write_micrographs
    from ..particles.handoff import LOSSES, hand_off

    micrographs = hand_off(
        current(options, read_micrographs(options.star)),
        out=options.out,
        edge_margin=options.edge_margin,
        min_distance=options.min_distance,
    )
    write_micrographs(table_of(options), micrographs)
    losses = {why: int(micrographs.table.ints(label).sum()) for label, why in LOSSES.items()}
    return finish(options, micrographs, *(f"{count} picks {why}" for why, count in losses.items() if count))


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
