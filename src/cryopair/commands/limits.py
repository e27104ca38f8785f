"""The option ``--limit`` of the commands that leave out bad micrographs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..micrographs import Micrographs


def add_limits(sub: argparse.ArgumentParser) -> None:
    """Add the option."""
    sub.add_argument(
        "--limit",
        action="append",
        default=[],
        type=_limit,
        metavar="NAME=VALUE",
        help="leave out micrographs beyond it, such as max_motion_early=10; the names are those of 'quality:' in the "
        "settings. May be given several times",
    )


def within_limits(options: argparse.Namespace, micrographs: Micrographs) -> Micrographs:
    """Leave out the micrographs that are beyond a limit, and say how many."""
    from ..quality.selection import select

    within, excluded = select(micrographs, dict(options.limit))
    if len(excluded):
        print(f"{options.name}: {len(excluded)} micrographs excluded; the first: {excluded['cryopairReason'][0]}")
    return within


def _limit(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return name, value
