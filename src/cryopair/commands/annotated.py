"""The command ``measure-picks``."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_measure_picks_options(sub: argparse.ArgumentParser) -> None:
    """Add its options."""
    sub.add_argument("--star", type=Path, required=True, help="table of the stage handoff: coordinates/<shard>.star")
    sub.add_argument("--diameter", type=float, required=True, metavar="Å", help="particle diameter")
    sub.add_argument("--out", type=Path, required=True, metavar="CSV", help="table to write")


def measure_picks(options: argparse.Namespace) -> int:
    """Measure the SNR at picks."""
    from ..micrographs import read_micrographs
    from ..quality.annotated import measure_at_picks

    measured = measure_at_picks(read_micrographs(options.star), diameter=options.diameter, out_csv=options.out)
    failed = f", {len(measured.failed)} failed" if len(measured.failed) else ""
    print(f"measure-picks: {len(measured.table)} micrographs done{failed}")
    return 0
