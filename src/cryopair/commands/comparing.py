"""Comparing denoisers."""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import add_device, device_of


def add_compare_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``compare``."""
    add = sub.add_argument
    add("folders", nargs="*", metavar="[NAME=]FOLDER", help="images that a program denoised; see below")
    add("--star", type=Path, required=True, help="halves.star: the micrographs with their half-sums")
    add("--model", action="append", default=[], metavar="[NAME=]MODEL", help="denoise by this model, or topaz:NAME")
    add("--out", type=Path, required=True, help="folder for compare.html and its tables")
    add("--count", type=int, default=8, help="micrographs to compare at most (default: %(default)s)")
    add("--truth", type=Path, metavar="FOLDER", help="noise-free images, of simulated data")
    add_device(sub)
    sub.epilog = (
        "A folder holds a.mrc for a micrograph a.mrc, and a_EVN.mrc and a_ODD.mrc, its halves, each denoised by itself "
        "(or FOLDER_even/a.mrc and FOLDER_odd/a.mrc). Without the halves there is nothing independent to measure by, "
        "and the images are only shown."
    )


def compare(options: argparse.Namespace) -> int:
    """Compare denoisers."""
    from ..comparison.methods import Folder, read_denoiser
    from ..comparison.page import compare, table_lines
    from ..errors import UsageError
    from ..micrographs import read_micrographs

    if not options.folders and not options.model:
        raise UsageError("give folders of denoised images, or models by --model, to compare.")
    folders = [Folder(name or Path(path).name, Path(path)) for name, path in map(_named, options.folders)]
    models = [read_denoiser(path, name=name) for name, path in map(_named, options.model)]
    summaries = compare(
        read_micrographs(options.star),
        [*folders, *models],
        out=options.out,
        count=options.count,
        truth=options.truth,
        device=device_of(options),
    )
    print("\n".join(table_lines(summaries, with_truth=options.truth is not None)))
    print(f"compare: {options.out / 'compare.html'}")
    return 0


def _named(text: str) -> tuple[str, str]:
    """Split NAME=PATH; the name is empty where there is none."""
    name, equals, path = text.partition("=")
    return (name, path) if equals else ("", text)
