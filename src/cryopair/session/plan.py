"""The planner: takes in new movies and seals them into shards that never change.

The workflow sees only the sealed shards. Planning is append-only and idempotent: twice, from two programs
at once, or after a crash between any two writes, it gives the same shards.
"""

from __future__ import annotations

import fcntl
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import CryopairError, UsageError
from ..formats.atomic import sealed_path
from ..formats.fingerprint import MISSING, fingerprint, modified
from ..formats.star import Table, read_star, write_star
from ..micrographs import Micrographs, Row, join_optics, read_list, write_micrographs
from ..motion import read_motion
from ..sources import files_of, list_file, read_source
from .arrivals import Arrivals, Patience
from .withdrawn import note_withdrawn

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
    waiting : int
        Micrographs that are not known to be complete, or whose shard is not full.
    seen, taken_in : int
        Micrographs in the source, and those ever taken in.
    lengths : dict of str to int
        Micrographs of each sealed shard that no later one has taken in again.
    source : Micrographs or None
        The source; None if it was not read, because it may be half written.
    """

    shards: list[str]
    added: int
    waiting: int = 0
    seen: int = 0
    taken_in: int = 0
    lengths: dict[str, int] = field(default_factory=dict)
    source: Micrographs | None = None


def shard_file(output: Path, shard: str) -> Path:
    """Return the file of a sealed shard."""
    return output / "plan" / "shards" / f"{shard}.star"


def sealed_shards(output: Path) -> list[str]:
    """Return the names of all sealed shards, in order."""
    return sorted(path.stem for path in (output / "plan" / "shards").glob("[0-9]*.star"))


def shard_lengths(output: Path) -> dict[str, int]:
    """Return how many micrographs each sealed shard holds that no later one has taken in again."""
    return _lengths(_read_journal(output), sealed_shards(output))


def _lengths(journal: Mapping[str, dict[str, str]], shards: Sequence[str]) -> dict[str, int]:
    counts = Counter(entry["cryopairShard"] for entry in journal.values())
    return {shard: counts[shard] for shard in shards}


def journal_file(output: Path) -> Path:
    """Return the file of the journal."""
    return output / "plan" / "journal.star"


def without_replaced(micrographs: Micrographs, journal: Path, *, shard: str) -> Micrographs:
    """Leave out micrographs of a shard that a later shard has taken in again, so that no two jobs make the same files.

    Parameters
    ----------
    micrographs : Micrographs
        Of the shard.
    journal : Path
        Of the session.
    shard : str
        Its name.

    Returns
    -------
    Micrographs
        What is left; all if nothing would be.
    """
    table = read_star(journal)["movies"]
    owner = dict(zip(table["rlnMicrographName"], table["cryopairShard"], strict=True))
    names = micrographs.table["rlnMicrographName"]
    kept = [place for place, name in enumerate(names) if owner.get(name, shard) == shard]
    return replace(micrographs, table=micrographs.table.select(kept)) if kept else micrographs


def new_movies(source: Micrographs, output: Path) -> int:
    """Return how many movies `plan` would take in; writes nothing."""
    return len(_changed_rows(source, _read_journal(output), output))


def plan(
    source: str | Path,
    output: Path,
    *,
    shard_size: int,
    pixel_size: float | None = None,
    patience: Patience | None = None,
    look_again: bool = True,
) -> Plan:
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
    patience : Patience, optional
        How long to wait for movies to be complete and for shards to be full. By default everything that is there is
        taken in as it is.
    look_again : bool
        Whether to look at the files of movies that were taken in before, which may have been replaced.

    Raises
    ------
    BadFileError
        When the source cannot be read.
    UsageError
        When the source has other columns or optics than the shards sealed before.
    """
    with locked(output):
        arrivals = Arrivals(output, patience) if patience else None
        shards = sealed_shards(output)
        written = _journal_as_written(output)
        journal = _with_adopted({name: dict(entry) for name, entry in written.items()}, output)
        file = list_file(source)
        if arrivals and file and not arrivals.is_ready(str(file), (str(file),)):  # it may be half written
            lengths = _lengths(journal, shards)
            return Plan(shards, 0, arrivals.keep_all() - 1, len(journal), len(journal), lengths)
        if arrivals:
            arrivals.forget(str(file))
        micrographs = read_source(source, pixel_size=pixel_size, output=str(output))
        ready = _changed_rows(micrographs, journal, output, arrivals=arrivals, look_again=look_again)
        names = [row["rlnMicrographName"] for row in ready]
        added = ready
        if arrivals and not any(map(arrivals.has_waited, names)):
            added = ready[: len(ready) // shard_size * shard_size]
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
        if journal != written:
            write_star(journal_file(output), {"movies": Table.from_rows(list(journal.values()))})
        note_withdrawn(output, source, listed=micrographs, taken_in=journal)
        waiting = arrivals.keep_but(row["rlnMicrographName"] for row in added) if arrivals else 0
        seen, taken_in = len(micrographs.table), len(journal)
        return Plan(shards, len(added), waiting, seen, taken_in, _lengths(journal, shards), micrographs)


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Be the only planner of a session: a lock that the system releases when the process ends, however it ends."""
    path = output / "plan" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _changed_rows(
    source: Micrographs,
    journal: Mapping[str, dict[str, str]],
    output: Path,
    *,
    arrivals: Arrivals | None = None,
    look_again: bool = True,
) -> list[dict[str, str]]:
    """Return the rows whose movie is not in the journal, or has another fingerprint there, and is complete."""
    changed_rows = []
    # Halves keep the micrograph they were taken in with, though a sum of theirs turns up later, or goes.
    names = {entry["rlnMicrographNameEven"]: name for name, entry in journal.items() if entry["rlnMicrographNameEven"]}
    for row in source.table.rows():
        name = names.get(row.get("rlnMicrographNameEven", ""), row["rlnMicrographName"])
        known = journal.get(name, {})
        if known and not look_again and not (arrivals and arrivals.awaits(name)):
            continue
        row = row | {"rlnMicrographName": name}
        files = files_of(row)
        if "rlnMicrographNameEven" in row and not Path(name).is_relative_to(output / "halves"):
            files += (name,)  # the source has the sum
        if "rlnMicrographMetadata" in row:
            row = row | {"rlnMicrographMovieName": known.get("rlnMicrographMovieName") or _movie_of(row)}
            files = (row["rlnMicrographMovieName"], row["rlnMicrographMetadata"])
        changed = modified(*files)
        if known and changed in (MISSING, known["cryopairModified"]):
            continue  # what is deleted after it was taken in keeps its results
        vouched = "rlnMicrographMetadata" in row and not known  # RELION has finished with it
        if arrivals and not vouched and not arrivals.is_ready(name, files):
            continue
        now = fingerprint(*files)
        if known and now == known["cryopairFingerprint"]:
            known["cryopairModified"] = changed  # touched or copied: not to be read again
            if arrivals:
                arrivals.forget(name)
            continue
        changed_rows.append(row | {"cryopairFingerprint": now, "cryopairModified": changed})
        if arrivals:
            arrivals.see(name, files)
    return changed_rows


def _movie_of(row: Row) -> str:
    """Return the movie of a micrograph; ``""`` if its motion STAR cannot be read, which fails it later, by name."""
    try:
        return read_motion(row["rlnMicrographMetadata"]).movie
    except CryopairError:
        return ""


def _read_journal(output: Path) -> dict[str, dict[str, str]]:
    """Read the last entry of each micrograph."""
    return _with_adopted(_journal_as_written(output), output)


def _with_adopted(journal: dict[str, dict[str, str]], output: Path) -> dict[str, dict[str, str]]:
    """Enter into a journal the shard that was sealed just before a crash."""
    last = max((entry["cryopairShard"] for entry in journal.values()), default="")
    for shard in sealed_shards(output):
        if shard > last:
            _enter(journal, list(read_list(shard_file(output, shard)).table.rows()), shard)
    return journal


def _journal_as_written(output: Path) -> dict[str, dict[str, str]]:
    path = journal_file(output)
    table = read_star(path)["movies"] if path.exists() else Table({label: [] for label in _JOURNAL})
    columns = [table[label] if label in table else [""] * len(table) for label in _JOURNAL]
    return {row[0]: dict(zip(_JOURNAL, row, strict=True)) for row in zip(*columns, strict=True)}


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
