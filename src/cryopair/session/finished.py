"""What a pass left behind when all was done: as long as it is still so, the next one has nothing to do there.

Snakemake would find the same, but takes seconds to load, and longer the longer a session is. If all is as the last pass
left it, the next one does not start Snakemake; if some shards are, those are left out of what Snakemake looks at. What
is to be done with all else is left to Snakemake to find out.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..formats.atomic import write_text
from .identities import WEIGHTS
from .models import InForce
from .versions import VERSIONS
from .workflow import Session

_TAKEN = ("plan/shards", "plan/coordinates")
_MADE = ("motion", "halves", "training/*", "models/*", "denoised/*", "quality/*", "templates/*/*")
_THEN_MADE = ("picks", "coordinates", "particles", "report")
"""Folders of what the rules take and make: one table a shard, and nothing of a single micrograph."""
_DECISIONS = ("plan/models.star", "plan/withdrawn.star")
_NOT_MADE = "status.json"
_OF_A_SHARD = re.compile(r"(\d{6})(_rings)?\.(star|csv)")
_REST = "rest"
"""Stands for all that is of no shard: merged tables, models, the report."""


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
        return self._left() == self._state() and all(Path(target).exists() for target in targets)

    def shards(self) -> list[str]:
        """Return the shards all of whose tables are there, and as the last pass left them."""
        session, left = self._session, self._left()
        state = self._state() if left else {}
        as_left = [shard for shard in session.with_model() if shard in left and left[shard] == state.get(shard)]
        return [shard for shard in as_left if all(Path(table).exists() for table in session.merged_inputs([shard]))]

    def note(self) -> None:
        """Remember the state that a pass has left; not of what changed meanwhile, which it may not have seen."""
        asked = self._what_is_asked()
        state = {name: made for name, made in self._state().items() if asked.get(name) == self._asked.get(name)}
        write_text(self._file, "".join(f"{name} {made}\n" for name, made in state.items()))

    def forget(self) -> None:
        """Let Snakemake look at everything."""
        self._file.unlink(missing_ok=True)

    def _left(self) -> dict[str, str]:
        text = self._file.read_text(encoding="utf-8") if self._file.is_file() else ""
        return {name: state for name, _, state in (line.partition(" ") for line in text.splitlines())}

    def _state(self) -> dict[str, str]:
        """Return a hash of what is asked and of what has been made, for each shard and for the rest."""
        made = _by_shard([*_changes_in(self._output), *_changes_below(self._output, _MADE + _THEN_MADE)])
        made_with = {entry.model: self._made_with(entry) for entry in self._session.models.in_force}
        for shard in self._asked:
            if model := self._session.models.model_of(shard):
                made[shard] += made_with[model.model]
        return {name: _hash_of([asked, *made[name]]) for name, asked in self._asked.items()}

    def _made_with(self, model: InForce) -> list[str]:
        """Return what a shard's images and picks are made with: a model and its templates."""
        templates = Path(self._session.templates(model.model), "templates.star")
        return [model.model, _change_of(Path(model.folder, WEIGHTS)), _change_of(templates)]

    def _what_is_asked(self) -> dict[str, str]:
        """Return a hash of all that decides which jobs there are, for each shard and for the rest."""
        model = self._session.config.denoising.model
        texts = [self._workflow / "Snakefile", *sorted(self._workflow.glob("rules/*.smk"))]
        settings = [self._session.config.model_dump_json(), str(VERSIONS), *map(_text_of, texts)]
        settings += [_change_of(Path(model, WEIGHTS))] if model else []
        taken = _by_shard(_changes_below(self._output, _TAKEN))
        decisions = [_text_of(self._output / name) for name in _DECISIONS]
        rest = {_REST: [*decisions, *(change for changes in taken.values() for change in changes)]}
        return {name: _hash_of([*settings, *changes]) for name, changes in (taken | rest).items()}


def finished_file(output: Path) -> Path:
    """Return where the state is written down; it is not there from when a pass begins to act until all is done."""
    return output / "plan" / "finished.txt"


def _by_shard(changes: Iterable[tuple[str, str]]) -> defaultdict[str, list[str]]:
    """Sort files and their last changes by the shards that they are of."""
    sorted_out: defaultdict[str, list[str]] = defaultdict(list)
    for path, change in changes:
        found = _OF_A_SHARD.fullmatch(path.rpartition("/")[2])
        sorted_out[found[1] if found else _REST].append(f"{path} {change}")
    return sorted_out


def _changes_below(output: Path, folders: Iterable[str]) -> Iterator[tuple[str, str]]:
    for pattern in folders:
        for folder in sorted(output.glob(pattern)):
            yield from _changes_in(folder)


def _changes_in(folder: Path) -> Iterator[tuple[str, str]]:
    """Give the names of folders, and the names and last changes of files, that lie in a folder."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name != _NOT_MADE:
            yield entry.path, "" if entry.is_dir() else _change(entry.stat())


def _change_of(path: Path) -> str:
    return _change(path.stat()) if path.is_file() else ""


def _change(stat: os.stat_result) -> str:
    return f"{stat.st_mtime_ns} {stat.st_size}"


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _hash_of(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
