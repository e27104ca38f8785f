"""The option ``--journal`` of the commands that work on a shard."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..micrographs import Micrographs


def add_journal(sub: argparse.ArgumentParser) -> None:
    """Add the option."""
    sub.add_argument("--journal", type=Path, metavar="STAR", help="journal of a session: leave out what was replaced")


def current(options: argparse.Namespace, micrographs: Micrographs) -> Micrographs:
    """Leave out what a later shard has taken in again, if there is a journal to tell."""
    from ..session.plan import without_replaced

    return without_replaced(micrographs, options.journal, shard=options.star.stem) if options.journal else micrographs
