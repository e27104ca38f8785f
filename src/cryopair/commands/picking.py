"""Commands about picking: making templates, and finding particles."""

from __future__ import annotations

import argparse
from pathlib import Path

from .limits import within_limits
from .replaced import current


def add_pick_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``pick`` beyond those of every stage."""
    add = sub.add_argument
    add(
        "--picker",
        choices=("blob", "template", "topaz"),
        default="blob",
        help="blob: discs darker than their rim; template: averages of the session's own particles; "
        "topaz: a detector of Topaz, as a program (default: blob)",
    )
    add("--diameter", type=float, required=True, metavar="Å", help="particle diameter; of a long particle, its length")
    add("--diameter-max", type=float, metavar="Å", help="of the largest particles, if they differ in size; for blob")
    add("--templates", type=Path, metavar="DIR", help="as written by cryopair templates; for template")
    add("--detector", metavar="X", help="resnet8, resnet16, or a file that cryopair train-topaz wrote; for topaz")
    _add_images(sub)
    add("--min-score", type=float, metavar="S", help="leave out picks with a lower score")


def add_templates_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``templates``."""
    add = sub.add_argument
    add("star", nargs="+", type=Path, metavar="DENOISED", help="tables of the stage denoise")
    add("--diameter", type=float, required=True, metavar="Å", help="particle diameter; of a long particle, its length")
    _add_images(sub)
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the templates")


def _add_images(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--images", choices=("denoised", "raw"), default="denoised", help="what to pick on (default: %(default)s)"
    )


def add_train_topaz_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``train-topaz``."""
    add = sub.add_argument
    add("--star", type=Path, required=True, help="list of cryopair import-coordinates or pick, with good picks")
    add("--diameter", type=float, required=True, metavar="Å", help="particle diameter")
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

    tables = [read_micrographs(path) for path in options.star]
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
    write_micrographs(options.table or options.out / f"{options.name}.star", micrographs)
    table, failed = micrographs.table, len(micrographs.failed)
    particles = int(table.ints("cryopairPickCount").sum())
    print(f"pick: {len(table)} micrographs done, {particles} particles" + (f", {failed} failed" if failed else ""))
    return 0
