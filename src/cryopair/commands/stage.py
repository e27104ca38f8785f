"""What the commands of the stages share: their options, their table, and their last line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .options import STAR_HELP
from .replaced import add_journal

if TYPE_CHECKING:
    from ..micrographs import Micrographs


def add_stage(sub: argparse.ArgumentParser, *, star_required: bool = True, star_help: str = STAR_HELP) -> None:
    """Add the options of every stage."""
    name = sub.prog.split()[-1]
    sub.add_argument("--star", type=Path, required=star_required, help=star_help)
    sub.add_argument("--out", type=Path, required=True, help="folder for the results, relative to the project")
    sub.add_argument(
        "--table", type=Path, help=f"where to write the micrographs STAR with the results (default: OUT/{name}.star)"
    )
    add_journal(sub)


def table_of(options: argparse.Namespace) -> Path:
    """Return where the stage writes its table."""
    table: Path = options.table or options.out / f"{options.name}.star"
    return table


def finish(options: argparse.Namespace, micrographs: Micrographs, *more: str) -> int:
    """Print the stage's last line. A stage with failures has still done its work: the run says so at its end."""
    failed = [f"{len(micrographs.failed)} failed"] if len(micrographs.failed) else []
    print(f"{options.name}: {', '.join([f'{len(micrographs.table)} micrographs done', *more, *failed])}")
    return 0
