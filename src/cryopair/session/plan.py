"""The planner: takes in new movies and seals them into shards that never change.

The workflow sees only the sealed shards. Planning is append-only and idempotent: twice, from two programs
at once, or after a crash between any two writes, it gives the same shards.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import CryopairError, UsageError
from ..formats.atomic import sealed_path
from ..formats.fingerprint import MISSING, fingerprint, modified
from ..formats.star import Table, read_star, write_star
from ..micrographs import Micrographs, Row, join_optics, read_list, write_micrographs
from ..motion.model import read_motion
from ..sources import files_of, read_source

_JOURNAL = (
    "rlnMicrographName",
    "rlnMicrographMetadata",
    "rlnMicrographMovieName",
    "rlnMicrographNameEven",
    "cryopairFingerprint",
    "cryopairModified",
    "cryopairShard",
)


@dataclass(frozen=True)
class Plan:
    """The sealed shards after planning.

    Attributes
    ----------
    shards : list of str
        Names, in order: ``000001``, ``000002``, …
    added : int
        Micrographs taken in just now.
    """

    shards: list[str]
    added: int


def shard_file(output: Path, shard: str) -> Path:
    """Return the file of a sealed shard."""
    return output / "plan" / "shards" / f"{shard}.star"


def sealed_shards(output: Path) -> list[str]:
    """Return the names of all sealed shards, in order."""
    return sorted(path.stem for path in (output / "plan" / "shards").glob("[0-9]*.star"))


def shard_length(output: Path, shard: str) -> int:
    """Return how many micrographs a sealed shard holds."""
    return len(read_list(shard_file(output, shard)).table)


def new_movies(source: Micrographs, output: Path) -> int:
    """Return how many movies `plan` would take in; writes nothing."""
    return len(_new_rows(source, _read_journal(output), output))


def plan(source: str | Path, output: Path, *, shard_size: int, pixel_size: float | None = None) -> Plan:
    """Seal all movies that are new, or whose file was replaced, into new shards.

    Parameters
    ----------
    source : str or Path
        As `sources.read_source` takes it; may have grown since the last time.
    output : Path
        Output folder of the session.
    shard_size : int
        Movies per shard at most.
    pixel_size : float, optional
        In Å/px, where the source does not say it.

    Raises
    ------
    BadFileError
        When the source cannot be read.
    UsageError
        When the source has other columns or optics than the shards sealed before.
    """
    with _locked(output / "plan" / "lock"):
        micrographs = read_source(source, pixel_size=pixel_size, output=str(output))
        journal = _read_journal(output)
        added = _new_rows(micrographs, journal, output)
        shards = sealed_shards(output)
        if added and shards:
            last = read_list(shard_file(output, shards[-1]))
            _check_columns(source, added[0], last.table)
            join_optics([last.optics, micrographs.optics])
        for start in range(0, len(added), shard_size):
            shard = f"{int(shards[-1]) + 1 if shards else 1:06d}"
            rows = added[start : start + shard_size]
            table = Table.from_rows([_without_journal(row) for row in rows])
            with sealed_path(shard_file(output, shard)) as candidate:
                write_micrographs(candidate, Micrographs(micrographs.optics, table))
            shards.append(shard)
            _enter(journal, rows, shard)
        if added:
            write_star(output / "plan" / "journal.star", {"movies": Table.from_rows(list(journal.values()))})
        return Plan(shards, len(added))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that the system releases when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _new_rows(source: Micrographs, journal: Mapping[str, Row], output: Path) -> list[dict[str, str]]:
    """Return the rows whose movie is not in the journal, or has another fingerprint there."""
    new = []
    # Halves keep the micrograph they were taken in with, though a sum of theirs turns up later, or goes.
    names = {entry["rlnMicrographNameEven"]: name for name, entry in journal.items() if entry["rlnMicrographNameEven"]}
    for row in source.table.rows():
        name = names.get(row.get("rlnMicrographNameEven", ""), row["rlnMicrographName"])
        row = row | {"rlnMicrographName": name}
        known = journal.get(name, {})
        files = files_of(row)
        if "rlnMicrographNameEven" in row and not Path(name).is_relative_to(output / "halves"):
            files += (name,)  # the source has the sum
        if "rlnMicrographMetadata" in row:
            row = row | {"rlnMicrographMovieName": known.get("rlnMicrographMovieName") or _movie_of(row)}
            files = (row["rlnMicrographMovieName"], row["rlnMicrographMetadata"])
        changed = modified(*files)
        if changed != MISSING and changed == known.get("cryopairModified"):
            continue
        now = fingerprint(*files)
        if now != known.get("cryopairFingerprint"):
            new.append(row | {"cryopairFingerprint": now, "cryopairModified": changed})
    return new


def _movie_of(row: Row) -> str:
    """Return the movie of a micrograph; ``""`` if its motion STAR cannot be read, which fails it later, by name."""
    try:
        return read_motion(row["rlnMicrographMetadata"]).movie
    except CryopairError:
        return ""


def _read_journal(output: Path) -> dict[str, dict[str, str]]:
    """Read the last entry of each micrograph; adopt a shard that was sealed just before a crash."""
    path = output / "plan" / "journal.star"
    journal: dict[str, dict[str, str]] = {}
    if path.exists():
        rows = read_star(path)["movies"].rows()
        journal = {row["rlnMicrographName"]: {label: row.get(label, "") for label in _JOURNAL} for row in rows}
    last = max((entry["cryopairShard"] for entry in journal.values()), default="")
    for shard in sealed_shards(output):
        if shard > last:
            _enter(journal, list(read_list(shard_file(output, shard)).table.rows()), shard)
    return journal


def _enter(journal: dict[str, dict[str, str]], rows: list[dict[str, str]], shard: str) -> None:
    for row in rows:
        entry = row | {"cryopairShard": shard}
        journal[row["rlnMicrographName"]] = {label: entry.get(label, "") for label in _JOURNAL}


def _without_journal(row: Row) -> dict[str, str]:
    """Return what a shard says of a micrograph: the movie only where no motion STAR names it."""
    hidden = {"cryopairModified"} | ({"rlnMicrographMovieName"} if "rlnMicrographMetadata" in row else set())
    return {label: value for label, value in row.items() if label not in hidden}


def _check_columns(source: str | Path, row: Row, sealed: Table) -> None:
    """Refuse to mix, say, micrographs with and without CTF: their lists could not be joined."""
    new, old = set(_without_journal(row)), set(sealed.labels)
    if new != old:
        raise UsageError(
            f"{source}: has other columns than the movies planned before ({', '.join(sorted(new ^ old))}). "
            "Use the STAR file of the same kind of job as before, or set another 'output:' to start anew."
        )
