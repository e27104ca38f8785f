"""What was found in files, kept from one pass to the next: tables of a shard hardly ever change once they are there."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..formats.atomic import write_text


class Findings:
    """Findings about files, each good for as long as its files stay as they were.

    Parameters
    ----------
    path : Path
        Where they are kept. Losing the file costs time, and nothing else.
    version : int
        Of how things are found: what was found in another way does not count.
    """

    def __init__(self, path: Path, *, version: int) -> None:
        self._path, self._version = path, version
        self._known = self._read()
        self._used: dict[str, Any] = {}

    def of(self, what: str, files: Sequence[Path], find: Callable[[], Any]) -> Any:
        """Return what was found in files; find it now if it is not known, or if one of them has changed.

        Parameters
        ----------
        what : str
            What is asked for, since there may be more than one thing to find in a file.
        files : sequence of Path
            The files, the one that is asked about first.
        find : callable
            Returns what there is to find, in a form that JSON keeps.
        """
        key = f"{what} {files[0]}"
        changes = [_change(file) for file in files]
        known = self._known.get(key)
        self._used[key] = known if known and known["changes"] == changes else {"changes": changes, "found": find()}
        return self._used[key]["found"]

    def keep(self) -> None:
        """Write down what was asked for since, and forget all else."""
        if self._used != self._known:
            text = json.dumps({"version": self._version, "findings": self._used}, separators=(",", ":"))
            write_text(self._path, f"{text}\n")

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            findings: dict[str, Any] = kept["findings"] if kept["version"] == self._version else {}
        except (FileNotFoundError, ValueError, KeyError, TypeError):  # there are none, or not of this program
            return {}
        return findings


def _change(file: Path) -> list[int]:
    """Return when a file changed last (ns), and how many bytes it has; nothing if there is none."""
    try:
        stat = file.stat()
    except FileNotFoundError:
        return []
    return [stat.st_mtime_ns, stat.st_size]
