"""What a pass left behind when nothing was left to do: as long as it is still so, the next one has nothing to do.

Snakemake would find the same, but takes seconds to load, and longer the longer a session is. A pass starts it only if
anything is other than the last one left it, and leaves it to Snakemake to find out what is to be done then.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..formats.atomic import write_text
from .identities import WEIGHTS
from .versions import VERSIONS
from .workflow import Session

_TAKEN = ("plan/shards", "plan/coordinates")
_MADE = ("motion", "halves", "training/*", "models/*", "denoised/*", "quality/*", "templates/*/*")
_THEN_MADE = ("picks", "coordinates", "particles", "report")
"""Folders of what the rules take and make: one table a shard, and nothing of a single micrograph."""
_DECISIONS = ("plan/models.star", "plan/withdrawn.star")
_NOT_MADE = "status.json"


class Finished:
    """The state of a session, to be compared with the one that the last pass left.

    The files of single micrographs are not looked at: the planner has just looked at the movies, and Snakemake goes by
    the shards' tables.

    Parameters
    ----------
    session : Session
        As planned just now.
    workflow : Path
        Folder of the Snakefile.
    """

    def __init__(self, session: Session, workflow: Path) -> None:
        self._session, self._workflow, self._output = session, workflow, Path(session.output)
        self._file = finished_file(self._output)
        self._asked = self._what_is_asked()

    def is_so(self) -> bool:
        """Tell whether all is there, and as the last pass left it."""
        targets = self._session.targets(self._session.shards())
        left = self._file.read_text(encoding="utf-8") if self._file.is_file() else ""
        return left == self._state() and all(Path(target).exists() for target in targets)

    def note(self) -> None:
        """Remember the state that a pass has left; not if shards were sealed meanwhile, say, which it has not seen."""
        if self._asked == self._what_is_asked():
            write_text(self._file, self._state())

    def _state(self) -> str:
        made = _hash_of([*_changes(self._output), *_changes_in(self._output, _MADE + _THEN_MADE)])
        return f"asked {self._asked}\nmade {made}\n"

    def _what_is_asked(self) -> str:
        """Return a hash of all that decides which jobs there are."""
        model = self._session.config.denoising.model
        texts = [self._workflow / "Snakefile", *sorted(self._workflow.glob("rules/*.smk"))]
        texts += [path for path in (self._output / name for name in _DECISIONS) if path.is_file()]
        return _hash_of(
            [
                self._session.config.model_dump_json(),
                str(VERSIONS),
                *(path.read_text(encoding="utf-8") for path in texts),
                *_changes_in(self._output, _TAKEN),
                *([_change(os.stat(Path(model, WEIGHTS)))] if model else []),  # noqa: PTH116
            ]
        )


def finished_file(output: Path) -> Path:
    """Return where the state is written down; it is not there from when a pass begins to act until all is done."""
    return output / "plan" / "finished.txt"


def _changes_in(output: Path, folders: Iterable[str]) -> Iterator[str]:
    for pattern in folders:
        for folder in sorted(output.glob(pattern)):
            yield from _changes(folder)


def _changes(folder: Path) -> Iterator[str]:
    """Give the names of folders, and the names and last changes of files, that lie in a folder."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name != _NOT_MADE:
            yield f"{entry.path} {'' if entry.is_dir() else _change(entry.stat())}"


def _change(stat: os.stat_result) -> str:
    return f"{stat.st_mtime_ns} {stat.st_size}"


def _hash_of(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
