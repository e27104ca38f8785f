"""Commands about made-up data: making it, and judging a run on it."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_simulate_options(sub: argparse.ArgumentParser) -> None:
    """Add the options of ``simulate``."""
    add = sub.add_argument
    add("folder", type=Path, help="project folder; existing movies stay, missing ones are added")
    add("--movies", type=int, default=16, help="how many (default: %(default)s)")
    add("--specimen", default="proteasome", help="or ribosome (default: %(default)s)")
    add("--carbon-every", type=int, default=0, metavar="N", help="one in N movies shows the edge of the carbon film")
    add("--seed", type=int, default=1, help="of everything (default: %(default)s)")


def simulate(options: argparse.Namespace) -> int:
    """Write a made-up RELION project."""
    from ..simulate.project import simulate_project

    simulate_project(
        options.folder,
        movies=options.movies,
        specimen=options.specimen,
        carbon_every=options.carbon_every,
        seed=options.seed,
    )
    return 0


def score(options: argparse.Namespace) -> int:
    """Compare a run on a made-up project with its truth."""
    from ..config import load_config
    from ..errors import UsageError
    from ..simulate.verdict import judge

    config = load_config(options.config)
    if config.picking.diameter is None or config.extraction.box is None:
        raise UsageError(f"{options.config}: set picking.diameter and extraction.box, and run again, to be judged.")
    print("\n".join(judge(Path(config.output), diameter=config.picking.diameter).lines()))
    return 0
