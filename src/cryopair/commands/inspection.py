"""The command ``inspect``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import CryopairError


def add_inspect_options(sub: argparse.ArgumentParser) -> None:
    """Add its options."""
    sub.add_argument("files", nargs="+", type=Path, metavar="FILE", help="or the folder of a model")


def inspect(options: argparse.Namespace) -> int:
    """Describe files, also those after a bad one."""
    from ..inspection import inspect

    bad = 0
    for path in options.files:
        print(path)
        try:
            print("\n".join(f"  {line}" for line in inspect(path)))
        except CryopairError as error:
            print(f"  {error}")
            bad += 1
    return 1 if bad else 0
