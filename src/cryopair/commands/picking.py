"""Commands about picking: making templates, and finding particles."""

from __future__ import annotations

import argparse
from pathlib import Path

from .limits import add_limits, within_limits
from .options import add_diameter
from .replaced import current
from .stage import add_stage, finish, table_of


def add_pick_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``pick``."""
    add_stage(sub)
    add = sub.add_argument
    add(
        "--picker",
        choices=("blob", "template", "topaz"),
        default="blob",
        help="blob: discs darker than their rim; template: averages of the session's own particles; "
        "topaz: a detector of Topaz, as a program (default: blob)",
    )
    add_diameter(sub)
    add("--diameter-max", type=float, metavar="Å", help="of the largest particles, if they differ in size; for blob")
    add("--templates", type=Path, metavar="DIR", help="as written by cryopair templates; for template")
    add("--detector", metavar="X", help="resnet8, resnet16, or a file that cryopair train-topaz wrote; for topaz")
    _add_images(sub)
    add("--min-score", type=float, metavar="S", help="leave out picks with a lower score")
    add_limits(sub)


def add_templates_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``templates``."""
    add = sub.add_argument
    add("star", nargs="+", type=Path, metavar="DENOISED", help="tables of the stage denoise")
    add_diameter(sub)
    _add_images(sub)
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the templates")
    add_limits(sub)


def _add_images(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--images", choices=("denoised", "raw"), default="denoised", help="what to pick on (default: %(default)s)"
    )


def add_train_topaz_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``train-topaz``."""
    add = sub.add_argument
    add("--star", type=Path, required=True, help="list of cryopair import-coordinates or pick, with good picks")
    add_diameter(sub)
    _add_images(sub)
    add("--epochs", type=int, default=10, help="rounds of training (default: %(default)s)")
    add("--out", type=Path, required=True, metavar="FILE", help="detector to write, e.g. detector.sav")


def train_topaz(options: argparse.Namespace) -> int:
    """Train a detector of Topaz."""
    from ..micrographs import read_micrographs
    from ..picking.images import Images
    from ..picking.topaz import train_detector

    micrographs, images = read_micrographs(options.star), Images(options.images)
    picks = train_detector(micrographs, images, diameter=options.diameter, out=options.out, epochs=options.epochs)
    print(f"train-topaz: detector {options.out}, trained on {picks} picks")
    return 0


def templates(options: argparse.Namespace) -> int:
    """Make templates."""
    from ..micrographs import read_micrographs
    from ..picking.images import Images
    from ..picking.templates import templates_of, write_templates

    tables = [within_limits(options, read_micrographs(path)) for path in options.star]
    made = templates_of(tables, Images(options.images), diameter=options.diameter)
    write_templates(options.out, made, shards=[path.stem for path in options.star])
    print(f"templates: {len(made.images)} of {made.counts.sum()} particles in {options.out}")
    return 0


def pick(options: argparse.Namespace) -> int:
    """Pick particles."""
    from ..micrographs import read_micrographs, write_micrographs
    from ..picking.images import Images
    from ..picking.pickers import choose_picker
    from ..picking.stage import pick_micrographs

    picker = choose_picker(
        options.picker,
        Images(options.images),
        diameter=options.diameter,
        diameter_max=options.diameter_max,
        templates=options.templates,
        detector=options.detector,
        min_score=options.min_score,
    )
    micrographs = within_limits(options, current(options, read_micrographs(options.star)))
    micrographs = pick_micrographs(micrographs, picker, out=options.out, min_score=options.min_score)
    write_micrographs(table_of(options), micrographs)
    return finish(options, micrographs, f"{int(micrographs.table.ints('cryopairPickCount').sum())} particles")
