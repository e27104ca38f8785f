"""The list of micrographs that each stage reads and writes: a RELION micrographs STAR, plus what failed.

A stage takes such a list, does its work for each micrograph, adds its columns and writes the list again.
A micrograph that cannot be processed is moved, with the reason, to the block ``data_failed``; the others
go on.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from posixpath import normpath, splitext

from tqdm import tqdm

from .errors import BadFileError, CryopairError, DeviceError, StorageError, UsageError
from .formats.star import Table, read_star, require, write_star

FAILED_LABELS = ("rlnMicrographName", "cryopairStage", "cryopairReason")
MAX_FAILED = 0.2
"""Share of failed micrographs above which a stage stops: something is wrong with more than one movie."""
ALWAYS_TOLERATED = 2
"""Failures that never stop a stage, so that a short shard survives a bad movie or two."""

_JOB_FOLDER = re.compile(r"^.*?job\d{3,}/")

Row = Mapping[str, str]


@dataclass
class Micrographs:
    """Micrographs with their optics groups.

    Attributes
    ----------
    optics : Table
        ``data_optics``, carried through as it came.
    table : Table
        ``data_micrographs``: at least ``rlnMicrographName`` (the raw micrograph) and ``rlnOpticsGroup``.
    failed : Table
        ``data_failed``: those lost so far, with `FAILED_LABELS`.
    """

    optics: Table
    table: Table
    failed: Table = field(default_factory=lambda: Table({label: [] for label in FAILED_LABELS}))

    def optics_row(self, row: Row) -> Row:
        """Return the optics group of a micrograph.

        Raises
        ------
        CryopairError
            When its group is not in the optics table.
        """
        for optics in self.optics.rows():
            if int(float(optics["rlnOpticsGroup"])) == int(float(row["rlnOpticsGroup"])):
                return optics
        raise CryopairError(f"{row['rlnMicrographName']}: optics group {row['rlnOpticsGroup']} is not in data_optics.")

    def pixel_size(self, row: Row) -> float:
        """Return the pixel size of a raw micrograph in Å/px."""
        return float(self.optics_row(row)["rlnMicrographPixelSize"])


def read_micrographs(path: str | Path) -> Micrographs:
    """Read a micrographs STAR.

    Raises
    ------
    BadFileError
        When it has no optics table, no micrographs table, or no pixel size.
    """
    micrographs = read_list(path)
    require(path, {"micrographs": micrographs.table}, "micrographs", "rlnMicrographName", "rlnOpticsGroup")
    if "rlnMicrographPixelSize" not in micrographs.optics:
        raise BadFileError(
            path,
            "does not give the pixel size of the micrographs",
            expected="_rlnMicrographPixelSize in data_optics",
            fix="Raw movies must be aligned first: cryopair align.",
        )
    return micrographs


def read_list(path: str | Path) -> Micrographs:
    """Read a list of micrographs, or of movies that are no micrographs yet and have no pixel size of their own.

    Raises
    ------
    BadFileError
        When it has no optics table, and neither micrographs nor movies.
    """
    blocks = read_star(path)
    fix = "RELION 3.1 and later write it; convert older files with relion_convert_star."
    optics = require(path, blocks, "optics", "rlnOpticsGroup", fix=fix)
    name = "movies" if "movies" in blocks else "micrographs"
    micrographs = Micrographs(optics, require(path, blocks, name, "rlnOpticsGroup"))
    if "failed" in blocks:
        micrographs.failed = require(path, blocks, "failed", *FAILED_LABELS)
    return micrographs


def write_micrographs(path: str | Path, micrographs: Micrographs) -> None:
    """Write a micrographs STAR, whole or not at all; ``data_failed`` only if something failed."""
    blocks = {"optics": micrographs.optics, "micrographs": micrographs.table}
    if len(micrographs.failed):
        blocks["failed"] = micrographs.failed
    write_star(path, blocks)


def join_optics(tables: Sequence[Table]) -> Table:
    """Join optics tables: each group once, in order of first appearance.

    Raises
    ------
    CryopairError
        When one group number stands for different optics.
    """
    groups: dict[str, dict[str, str]] = {}
    for table in tables:
        for row in table.rows():
            known = groups.setdefault(row["rlnOpticsGroup"], row)
            if known != row:
                changed = ", ".join(label for label in row if row[label] != known.get(label))
                raise CryopairError(
                    f"optics group {row['rlnOpticsGroup']} changed while movies came in ({changed}): "
                    "set another 'output:' for the movies with other optics."
                )
    return Table.from_rows(list(groups.values()))


def process(
    micrographs: Micrographs,
    stage: str,
    work: Callable[[Row], Mapping[str, object]],
    *,
    columns: tuple[str, ...],
    workers: int = 1,
) -> Micrographs:
    """Do `work` for each micrograph, in order, with a progress bar on standard error.

    Parameters
    ----------
    micrographs : Micrographs
        The input list.
    stage : str
        Name of the stage, for the progress bar and the list of failures.
    work : callable
        Takes a row, returns the new values of `columns`; raises `CryopairError` for a bad micrograph, or
        `UsageError` for a wrong setting, which stops the stage, as the disk does by `StorageError` and memory by
        `DeviceError`.
    columns : tuple of str
        Labels that this stage sets.
    workers : int
        Micrographs in work at a time, each in a thread, so that one is read or written while another is computed.

    Returns
    -------
    Micrographs
        The micrographs that succeeded with their new columns, and all failures so far.

    Raises
    ------
    CryopairError
        When more than `MAX_FAILED` of the micrographs (and more than `ALWAYS_TOLERATED`) fail.
    """
    done: list[int] = []
    results: list[Mapping[str, object]] = []
    failed: list[Mapping[str, object]] = []
    rows = list(micrographs.table.rows())
    with closing(_in_order(work, rows, workers)) as outcomes:  # when the stage stops, so does all work
        bar = tqdm(outcomes, total=len(rows), desc=stage, unit="mic", file=sys.stderr)
        for index, (row, outcome) in enumerate(zip(rows, bar, strict=True)):
            try:
                results.append(outcome())
                done.append(index)
            except (UsageError, StorageError, DeviceError):
                raise  # no other micrograph would fare better
            except CryopairError as error:
                name = row["rlnMicrographName"]
                failed.append(dict(zip(FAILED_LABELS, (name, stage, _plain(str(error))), strict=True)))
                tqdm.write(f"{stage}: {name} failed: {error}", file=sys.stderr)
                stop_if_most_fail(stage, failed=len(failed), total=len(micrographs.table), last=str(error))
    table = micrographs.table.select(done)
    for column in columns:
        table[column] = [result[column] for result in results]
    losses = Table.concatenate([micrographs.failed, Table.from_rows(failed, FAILED_LABELS)])
    return Micrographs(micrographs.optics, table, losses)


def _in_order(
    work: Callable[[Row], Mapping[str, object]], rows: Sequence[Row], workers: int
) -> Generator[Callable[[], Mapping[str, object]]]:
    """Give for each row what returns its result or raises its error, working ahead in threads if there are several."""
    if workers == 1:
        yield from (partial(work, row) for row in rows)
        return
    with ThreadPoolExecutor(workers) as pool:
        try:
            ahead: deque[Future[Mapping[str, object]]] = deque()
            for row in rows:
                ahead.append(pool.submit(work, row))
                if len(ahead) > workers:
                    yield ahead.popleft().result
            while ahead:
                yield ahead.popleft().result
        finally:  # also when the stage is stopped half way
            pool.shutdown(cancel_futures=True)


def natural_order(name: str) -> tuple[tuple[str | int, ...], str]:
    """Return a key that sorts names as people do, numbers in them by their value: ``a_2`` before ``a_10``."""
    parts = re.split(r"(\d+)", name)
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts)), name


def stop_if_most_fail(stage: str, *, failed: int, total: int, last: str) -> None:
    """Stop a stage that is failing wholesale.

    Raises
    ------
    CryopairError
        When more than `MAX_FAILED` of the micrographs (and more than `ALWAYS_TOLERATED`) have failed.
    """
    if failed > max(MAX_FAILED * total, ALWAYS_TOLERATED):
        raise CryopairError(
            f"{stage}: stopped, because more than {MAX_FAILED:.0%} of {total} micrographs failed. The last one: {last}"
        )


def mirrored(name: str) -> PurePosixPath:
    """Return the path below the job folder, without extension: ``MotionCorr/job002/Movies/a.mrc`` → ``Movies/a``.

    All files made for a micrograph lie under this path in their stage's folder, as in RELION's own jobs.
    A path without a ``jobNNN`` folder is mirrored whole.

    Raises
    ------
    CryopairError
        When the path is absolute or climbs out with ``..``, so that nothing is written outside the output folder.
    """
    below = PurePosixPath(_JOB_FOLDER.sub("", name))
    if below.is_absolute() or ".." in below.parts or not below.name:
        raise CryopairError(
            f"'{name}': micrograph paths must be relative to the project and stay inside it. "
            "Link data from elsewhere into the project folder."
        )
    return below.with_suffix("")


def place_below_job(name: str) -> str:
    """Return the path that `mirrored` gives as text and unchecked, to tell many thousands of micrographs apart by."""
    return splitext(normpath(_JOB_FOLDER.sub("", name)))[0]


def _plain(text: str) -> str:
    """Make a message fit for a STAR value: one line, no double quotes."""
    return " ".join(text.replace('"', "'").split())
