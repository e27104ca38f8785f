"""Micrographs that were taken in and are no longer listed in the source."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from ..formats.star import Table, read_star, write_star
from ..micrographs import FAILED_LABELS, Micrographs, natural_order
from ..sources import list_file

_FRESH = 30.0
"""Seconds after which a list is not being written any more, so that what it lacks was taken out on purpose."""


def note_withdrawn(output: Path, source: str | Path, *, listed: Micrographs, taken_in: Iterable[str]) -> None:
    """Write down which micrographs are no longer in a list: they leave the merged tables until they are listed again.

    Only a list (STAR, ``.cs``) tells so. Files that a folder or a pattern does not show any more keep their results:
    movies are often archived once they are processed.

    Parameters
    ----------
    output : Path
        Output folder of the session.
    source : str or Path
        The source.
    listed : Micrographs
        What it lists now.
    taken_in : iterable of str
        All micrographs that ever were taken in.
    """
    path = withdrawn_file(output)
    known = list(withdrawn(output)["rlnMicrographName"])
    file = list_file(source)
    if file is None:
        return
    names = set(listed.table["rlnMicrographName"])
    gone = sorted((name for name in taken_in if name not in names), key=natural_order)
    if gone == known or (set(gone) > set(known) and time.time() - file.stat().st_mtime < _FRESH):
        return
    reason = f"no longer listed in {source}"
    rows = [dict(zip(FAILED_LABELS, (name, "source", reason), strict=True)) for name in gone]
    write_star(path, {"failed": Table.from_rows(rows, FAILED_LABELS)})


def withdrawn(output: Path) -> Table:
    """Return the micrographs that are no longer listed, as rows of ``failed.star``."""
    path = withdrawn_file(output)
    empty = Table({label: [] for label in FAILED_LABELS})
    return read_star(path).get("failed", empty) if path.is_file() else empty


def withdrawn_file(output: Path) -> Path:
    """Return where they are written down; the file is there once there was one."""
    return output / "plan" / "withdrawn.star"
