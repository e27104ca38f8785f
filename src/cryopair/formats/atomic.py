"""Files that exist are whole: written under a temporary name beside their place, flushed, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import StorageError, UsageError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the folder of `path`; rename it to `path` when the block ends well.

    The folder is made if it is missing. If the block raises, the temporary file is removed and
    whatever stood at `path` before is untouched.

    Raises
    ------
    StorageError
        When the disk is full, read-only, or gone.

    Parameters
    ----------
    path : str or Path
        Where the finished file shall be.

    Yields
    ------
    Path
        The temporary file, with the suffix of `path`, so that writers which look at it agree.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")  # what a killed process left is overwritten
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        ours = error.filename is None or str(error.filename) == str(temporary)
        raise StorageError(path if ours else error.filename, error) from error
    finally:
        with suppress(OSError):  # the disk may be gone
            temporary.unlink(missing_ok=True)


@contextmanager
def sealed_path(path: str | Path) -> Iterator[Path]:
    """Give a path to write (with any of the atomic writers) a file that never changes once it is there.

    Writing the same content again leaves the file as it is, to the time of its change.

    Raises
    ------
    UsageError
        When `path` exists with other content.
    """
    path = Path(path)
    candidate = path.with_name(f".{path.stem}.new{path.suffix}")
    try:
        yield candidate
        if not path.exists():
            candidate.replace(path)
        elif candidate.read_bytes() != path.read_bytes():
            raise UsageError(
                f"{path}: exists with other content, and is never overwritten. Write to another place, or "
                "delete it (and all that was made from it) to make it again."
            )
    finally:
        candidate.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
