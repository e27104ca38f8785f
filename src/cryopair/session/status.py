"""How a session is, in a file that other programs can read (``status.json``), and in a few lines for people."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import json
import math
import statistics
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from ..formats.atomic import write_text
from ..formats.star import read_star
from .models import Models, stage_table
from .plan import sealed_shards

_SILENT_SECONDS = 120.0
"""A watcher writes more often than this, so that one that has not may be dead."""

_STATES = {
    "working": "at work",
    "waiting": "waiting for movies",
    "failing": "in trouble, and trying again",
    "stopped": "stopped",
    "finished": "finished",
}


@dataclass
class Status:
    """How a watched session is; times in s since 1970.

    Attributes
    ----------
    state : str
        ``working``, ``waiting`` (for movies), ``failing`` (and trying again), ``stopped`` or ``finished``.
    source, host : str
        What is watched, and on which machine.
    pid : int
        Of the watcher.
    started, updated : float
        When it began, and when it wrote this.
    seen, taken_in, done, failed, waiting : int
        Movies in the source; in shards; denoised; lost; not yet complete, or without a full shard.
    arriving_per_hour, done_per_hour : float or None
        Movies, over the last hour at most.
    behind_seconds : float
        How long the oldest movie that is in a shard has waited for its results.
    model, training : str
        Id of the model in force; of one being trained, with how far it is.
    shard : str
        The last shard that was measured.
    snr_raw_db, snr_denoised_db : float or None
        Its medians.
    drift, gpu, problem : str
        Alarm of drift; use of the GPUs; what went wrong last, if it has not gone right since.
    jobs : list of str
        What runs now.
    jobs_done, jobs_total : int
        Of the pass that runs.
    next_try : float
        When it is tried again after a problem.
    """

    state: str = "waiting"
    source: str = ""
    host: str = ""
    pid: int = 0
    started: float = 0.0
    updated: float = 0.0
    seen: int = 0
    taken_in: int = 0
    done: int = 0
    failed: int = 0
    waiting: int = 0
    arriving_per_hour: float | None = None
    done_per_hour: float | None = None
    behind_seconds: float = 0.0
    model: str = ""
    training: str = ""
    shard: str = ""
    snr_raw_db: float | None = None
    snr_denoised_db: float | None = None
    drift: str = ""
    gpu: str = ""
    problem: str = ""
    jobs: list[str] = field(default_factory=list)
    jobs_done: int = 0
    jobs_total: int = 0
    next_try: float = 0.0

    def write(self, output: Path) -> None:
        """Write ``status.json``; a disk that is full for the moment does no harm."""
        self.updated = time.time()
        with contextlib.suppress(OSError):
            write_text(status_file(output), json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, output: Path) -> Status | None:
        """Read what the last watcher wrote; None if there never was one."""
        try:
            values = json.loads(status_file(output).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        known = {each.name for each in fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})

    def look(self, output: Path) -> None:
        """Count what a session's tables hold, and look up the last figures."""
        self.done = _rows(output / "denoised_micrographs.star", "micrographs")
        self.failed = _rows(output / "failed.star", "failed")
        models = Models.read(output)
        self.model = models.latest.model if models.latest else ""
        for shard in reversed(sealed_shards(output)):
            raw, denoised = _medians(stage_table(output, models, "quality", shard))
            if denoised is not None:
                self.shard, self.snr_raw_db, self.snr_denoised_db = shard, raw, denoised
                break

    def lines(self) -> list[str]:
        """Return what people want to know, without the state."""
        lines = [f"movies    {self.seen} seen, {self.done} denoised, {self.failed} failed, {self.waiting} on their way"]
        if self.arriving_per_hour is not None:
            pace = f"pace      {self.arriving_per_hour:.0f} an hour come in"
            pace += f", {self.done_per_hour:.0f} an hour are done" if self.done_per_hour is not None else ""
            lines.append(
                f"{pace}; {duration(self.behind_seconds) + ' behind' if self.behind_seconds else 'up to date'}"
            )
        if self.model or self.training:
            lines.append(f"model     {self.model or 'none yet'}")
        if self.training:
            lines.append(f"training  {self.training}")
        if self.snr_denoised_db is not None:
            raw = f" (raw {self.snr_raw_db:.1f} dB)" if self.snr_raw_db is not None else ""
            lines.append(f"SNR       {self.snr_denoised_db:.1f} dB{raw}, median of shard {self.shard}")
        if self.drift:
            lines.append(f"DRIFT     {self.drift}")
        if self.gpu:
            lines.append(f"GPU       {self.gpu}")
        if self.jobs_total:
            lines.append(f"jobs      {self.jobs_done} of {self.jobs_total} done in this pass")
        lines += [f"now       {job}" for job in self.jobs]
        if self.problem:
            lines.append(f"PROBLEM   {self.problem}")
        return lines


def status_file(output: Path) -> Path:
    """Return the file of the status."""
    return output / "status.json"


def describe(output: Path) -> tuple[list[str], bool]:
    """Say how a session is, also when nothing runs.

    Returns
    -------
    lines : list of str
        For people.
    well : bool
        Whether nothing needs a human: False if the watcher has died, or is in trouble.
    """
    status, at_work = Status.read(output), is_at_work(output)
    if status is None:
        status = Status()
        status.look(output)
        status.taken_in = status.seen = _rows(output / "plan" / "journal.star", "movies")
        return [f"{output}: {'a run is at work' if at_work else 'nothing is at work'}", *status.lines()], True
    since, silent = time.time() - status.started, time.time() - status.updated
    about = f"{status.source}, process {status.pid} on {status.host}"
    if status.state in ("stopped", "finished"):
        status.look(output)
        what = "a run is at work; the watcher" if at_work else "the watcher"
        return [f"{output}: {what} {_STATES[status.state]} {duration(silent)} ago", *status.lines()], not status.problem
    if not at_work:
        first = f"{output}: the watcher DIED, last seen {duration(silent)} ago ({about}). Go on with: cryopair watch"
        return [first, *status.lines()], False
    first = f"{output}: {_STATES.get(status.state, status.state)}, watching for {duration(since)} ({about})"
    if silent > _SILENT_SECONDS:
        first += f"; SILENT for {duration(silent)}"
    return [first, *status.lines()], not status.problem and silent <= _SILENT_SECONDS  # also while it tries again


def is_at_work(output: Path) -> bool:
    """Tell whether a run or a watcher holds the lock of a session."""
    try:
        with (output / "plan" / "run.lock").open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def duration(seconds: float) -> str:
    """Return a time span as people say it."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _rows(path: Path, block: str) -> int:
    return len(read_star(path).get(block, ())) if path.is_file() else 0


def _medians(path: Path) -> tuple[float | None, float | None]:
    """Return the median SNR of a shard in dB, raw and denoised; None where it is not known."""
    if not path.is_file():
        return None, None
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    medians = []
    for name in ("snr_raw_db", "snr_denoised_db"):
        values = [float(row[name]) for row in rows if row.get(name)]
        finite = [value for value in values if math.isfinite(value)]
        medians.append(statistics.median(finite) if finite else None)
    return medians[0], medians[1]
