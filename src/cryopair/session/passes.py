"""One pass of the workflow: take in new movies, do all that is left to do, say how it went."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from ..config import load_config
from ..errors import StorageError, UsageError
from ..formats.atomic import write_text
from ..formats.star import read_star
from ..formats.star_rows import count_rows
from ..report.live import end_live
from ..sources import Kind, Summary, summarise
from .finished import Finished
from .launch import environment, profile_file, runs_here, snakemake_command, start, workflow_folder
from .leftovers import stop_leftovers
from .plan import Plan
from .progress import follow
from .workflow import Session

_TRIES = 5
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SOME_FAILED = 3
"""Exit code of a pass that went through while some micrographs failed."""
WAITING = 4
"""Exit code of a pass after which micrographs wait for coordinates that are made elsewhere."""

_NOTHING = "Nothing to be done (all is as the last pass left it)."
_MANY_SHARDS = 4
"""More new movies than fill so many take long enough to say how long."""
_LITTLE = 1 << 20
"""Bytes: a disk with less room than this counts as full."""


def run_pass(
    config_path: Path, *, cores: int | None, dry_run: bool, arguments: Sequence[str], profile: str = "default"
) -> int:
    """Run Snakemake once over all sealed shards.

    Parameters
    ----------
    config_path : Path
        Settings of the session.
    cores : int or None
        Processor cores to use; all that this process may use if None. On a cluster, those of this machine, for the
        small jobs that run here.
    dry_run : bool
        Only say what would be done.
    arguments : sequence of str
        More options for Snakemake.
    profile : str
        Name of one of the workflow's profiles, or a folder with one.

    Returns
    -------
    int
        0 if all is well, 1 if the pass failed, `SOME_FAILED` if some micrographs did, `WAITING` if some wait for
        coordinates.

    Raises
    ------
    CryopairError
        When the configuration or the source is wrong, or another run is at work on this output folder.
    """
    session = Session(load_config(config_path))
    cores = cores or len(os.sched_getaffinity(0))
    settings = profile_file(profile)
    command = snakemake_command(config_path, cores, arguments, profile=settings)
    if dry_run:
        return subprocess.run([*command, "--dry-run"], env=environment()).returncode
    output = Path(session.output)
    with alone(output) as token:
        taken = session.plan()
        session.check_source()
        finished = Finished(session, workflow_folder())
        nothing = not arguments and finished.is_so()
        cores_here = cores if runs_here(settings) else None
        print("\n".join(_announce(session, taken, cores=cores_here, nothing=nothing)), flush=True)
        if arguments:  # may ask for anything to be made again
            finished.forget()
        if nothing:
            write_text(output / "logs" / "run.log", f"{_NOTHING}\n")
            return _conclude(session)
        with start(command, output, token=token) as running:
            code = follow(running)
            messages = running.complaints() if code else []
        if not (code or arguments):
            finished.note()
    if code:
        messages = [str(_full(output))] if shutil.disk_usage(output).free < _LITTLE else messages
        print("\n".join(f"cryopair: {message}" for message in messages), file=sys.stderr)
        return 1
    return _conclude(session)


def _full(output: Path) -> StorageError:
    """Return what a pass on a full disk failed of, since such a disk takes no logs."""
    return StorageError(output, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


@contextmanager
def alone(output: Path) -> Iterator[str]:
    """Be the only run at work on an output folder; give a token for its processes.

    The lock goes when the process ends, however it ends. What a run that was killed left behind is stopped.

    Raises
    ------
    UsageError
        When another run is at work.
    """
    path = output / "plan" / "run.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as stream:
        for remaining in reversed(range(_TRIES)):  # `cryopair status` holds it for a moment
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not remaining:
                    message = f"another cryopair run is at work in {output}. Wait for it, or stop it."
                    raise UsageError(message) from None
                time.sleep(0.1)
        stream.seek(0)
        before = stream.read().strip()
        if before:
            stop_leftovers(before)
        token = uuid.uuid4().hex
        stream.truncate(0)
        stream.write(token)
        stream.flush()
        yield token


def _announce(session: Session, taken: Plan, *, cores: int | None, nothing: bool) -> list[str]:
    """Say what was found, what will be done and, with so many cores of this machine, how long it will take."""
    summary, new = summarise(taken.source or session.source()), taken.added
    lines = [f"{session.config.source}: {summary.micrographs} micrographs, {new} of them new"]
    lines += [f"  {line}" for line in summary.lines()[1:]]
    if nothing:
        return [*lines, "to do: nothing; all is as the last run left it"]
    goal = {Kind.RAW: "align, half-sums", Kind.MOTION: "half-sums"}.get(summary.kind, "check")
    if session.trains and not session.is_trained:
        goal += f", train model {session.model_id()} ({session.config.training.steps} steps)"
    goal += ", denoise" if summary.kind is Kind.SINGLE else ", denoise, measure"
    if session.given_coordinates:
        goal += f", take over particles from {session.given_coordinates.where}"
    elif session.picks:
        goal += f", pick {session.config.picking.diameter:g} Å particles"
    goal += f", extract raw boxes of {session.config.extraction.box} px" if session.extracts else ""
    lines.append(f"to do: {goal}" if new else "to do: what the last run left, if anything")
    if cores and new and (new > _MANY_SHARDS * session.config.shards.size or not session.is_trained):
        lines.append(f"time:  {_estimate(session, summary, new, cores=cores)}")
    return lines


def _estimate(session: Session, summary: Summary, movies: int, *, cores: int) -> str:
    """Let a process of its own estimate: it loads torch, whose memory this one would hold as long as the pass takes."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_estimate_here, session, summary, movies, cores=cores).result()


def _estimate_here(session: Session, summary: Summary, movies: int, *, cores: int) -> str:
    from .estimate import estimate

    return estimate(session, summary, movies, cores=cores)


def _conclude(session: Session) -> int:
    """Print what there is now; say in the exit code if micrographs failed, or wait for coordinates."""
    config, output = session.config, Path(session.output)
    denoised = output / "denoised_micrographs.star"
    failed = read_star(output / "failed.star").get("failed") if (output / "failed.star").is_file() else None
    failures = len(failed) if failed else 0
    particles = output / "particles.star"
    parts = [f"{count_rows(denoised, 'micrographs')} micrographs denoised"]
    if config.extraction.box and particles.is_file():
        parts.append(f"{count_rows(particles, 'particles')} raw particles")
    end_live(output)  # a watcher that was killed left it reading itself again
    print(f"report: {output / 'report.html'}")
    fate = f"{failures} micrographs FAILED, see {output / 'failed.star'}" if failures else "none failed"
    if session.given_coordinates:
        table = read_star(denoised)["micrographs"]
        waiting, lines = session.given_coordinates.waiting(session.shards(), table)
        for line in [*session.given_coordinates.leftover, *lines]:
            print(line)
        if waiting:
            print(f"waiting for coordinates of {waiting} micrographs; so far: {', '.join(parts)}; {fate}")
            return WAITING
    print(f"done: {', '.join(parts)}; {fate}")
    return SOME_FAILED if failures else 0


def stop_on_signals() -> None:
    """Let SIGTERM, and SIGHUP but under nohup, do what Ctrl-C does: stop the jobs, then this process. Once."""

    def stop(number: int, frame: object) -> None:
        for each in _STOPPING:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in _STOPPING:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
