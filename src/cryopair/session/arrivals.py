"""Movies on their way: seen, but not known to be complete, or not enough for a shard."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import CryopairError
from ..formats.movies import EerRendering, open_movie
from ..formats.star import Table, read_star, write_star

_LABELS = ("rlnMicrographName", "cryopairFileState", "cryopairUnchangedSince", "cryopairFirstSeen")
_RAW_EER = EerRendering(grouping=1, upsampling=1)
_OLD = 60.0
"""Seconds since the last change of a file after which it is complete at first sight."""


@dataclass(frozen=True)
class Patience:
    """How long to wait while a microscope is at work.

    Attributes
    ----------
    settle : float
        Seconds that a file must stay as it is to be taken for complete.
    max_wait : float
        Seconds that a movie waits for its shard to fill, or for an unreadable file to become readable.
    now : float
        The time, in s since 1970.
    """

    settle: float
    max_wait: float
    now: float


@dataclass(frozen=True)
class _Waiting:
    state: str
    since: float
    first_seen: float


class Arrivals:
    """What has been seen and waits, kept in ``plan/waiting.star`` so that a restart does not begin to wait again.

    Parameters
    ----------
    output : Path
        Output folder of the session.
    patience : Patience
        How long to wait.
    """

    def __init__(self, output: Path, patience: Patience) -> None:
        self._path, self._patience = waiting_file(output), patience
        self._waiting: dict[str, _Waiting] = {}
        rows = read_star(self._path).get("waiting", Table()).rows() if self._path.is_file() else ()
        for row in rows:
            name, state, since, first_seen = (row[label] for label in _LABELS)
            self._waiting[name] = _Waiting(state, float(since), float(first_seen))
        self._before = dict(self._waiting)
        self._seen: set[str] = set()

    def see(self, name: str, files: Iterable[str]) -> float:
        """Look at the files of a movie; return for how many seconds they have stayed as they are."""
        now = self._patience.now
        state, changed = _state(files)
        known = self._waiting.get(name)
        if known is None:
            known = _Waiting(state, now, now)
        elif known.state != state:
            known = replace(known, state=state, since=now)
        self._waiting[name] = known
        self._seen.add(name)
        return max(now - known.since, now - changed - _OLD)

    def is_ready(self, name: str, files: Sequence[str]) -> bool:
        """Look at the files of a movie; tell whether it can be taken in.

        It can if its files have settled and can be read, or if it has waited for so long that people must be told:
        it will fail, by name, and is taken in again when it is complete.
        """
        settled = self.see(name, files) >= self._patience.settle
        return settled and (all(map(_is_readable, files)) or self.has_waited(name))

    def has_waited(self, name: str) -> bool:
        """Tell whether a movie has waited for as long as any shall."""
        known = self._waiting.get(name)
        return known is not None and self._patience.now - known.first_seen >= self._patience.max_wait

    def awaits(self, name: str) -> bool:
        """Tell whether a movie is being waited for."""
        return name in self._waiting

    def forget(self, name: str) -> None:
        """Wait for a movie no more."""
        self._seen.discard(name)

    def keep_but(self, taken: Iterable[str]) -> int:
        """Go on waiting for all that was seen this time, but for those taken in; return how many there are."""
        return self._keep(self._seen - set(taken))

    def keep_all(self) -> int:
        """Go on waiting for everything; return how many there are."""
        return self._keep(set(self._waiting))

    def _keep(self, names: set[str]) -> int:
        kept = {name: known for name, known in self._waiting.items() if name in names}
        if kept != self._before:
            rows = [
                (name, known.state, f"{known.since:.3f}", f"{known.first_seen:.3f}") for name, known in kept.items()
            ]
            table = Table.from_rows([dict(zip(_LABELS, row, strict=True)) for row in rows], _LABELS)
            write_star(self._path, {"waiting": table})
        return len(kept)


def waiting_file(output: Path) -> Path:
    """Return the file with the movies that wait."""
    return output / "plan" / "waiting.star"


def _state(files: Iterable[str]) -> tuple[str, float]:
    """Return sizes and times of change of files, and the last of the times in s since 1970."""
    try:
        stats = [os.stat(file) for file in files]  # noqa: PTH116 (Path("") is a folder)
    except OSError:
        return "missing", math.inf
    return "+".join(f"{stat.st_size}@{stat.st_mtime_ns}" for stat in stats), max(stat.st_mtime for stat in stats)


def _is_readable(file: str) -> bool:
    """Tell whether a movie or image has a header that fits its size; of other files, whether they are there."""
    if Path(file).suffix.lower() in (".star", ".cs"):
        return Path(file).is_file()
    try:
        with open_movie(file, eer=_RAW_EER) as movie:
            return movie.shape[0] > 0
    except (CryopairError, OSError):
        return False
