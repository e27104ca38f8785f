"""A cheap fingerprint of large files: their sizes and a hash of their two ends.

Modification times are left out: copying a project must not look like new data.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

MISSING = "missing"
_SAMPLE = 64 * 1024


def fingerprint(*paths: str | Path) -> str:
    """Return ``<bytes>-<hash>`` of each file, joined by ``+``, or `MISSING` if any of them is.

    The hash is over the first and the last 64 KiB: enough to notice a replaced, truncated or completed
    movie, and cheap over a network.
    """
    try:
        return "+".join(map(_of_one, paths))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return MISSING


def modified(*paths: str | Path) -> str:
    """Return the modification times in ns, joined by ``+``, or `MISSING`: unchanged means nothing to look at."""
    try:
        # not Path.stat: Path("") is the current folder, while "" is no file
        return "+".join(str(os.stat(path).st_mtime_ns) for path in paths)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return MISSING


def _of_one(path: str | Path) -> str:
    with Path(path).open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        digest = hashlib.sha256(stream.read(_SAMPLE))
        stream.seek(max(size - _SAMPLE, 0))
        digest.update(stream.read(_SAMPLE))
    return f"{size}-{digest.hexdigest()[:16]}"
