"""One pass of the workflow: take in new movies, do all that is left to do, say how it went."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..config import load_config
from ..errors import UsageError
from ..formats.star import read_star
from ..report.live import LIVE
from ..sources import Kind, summarise
from .leftovers import stop_leftovers
from .progress import follow
from .running import Running
from .workflow import PLANNED, Session

_TRIES = 5
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SOME_FAILED = 3
"""Exit code of a pass that went through while some micrographs failed."""
WAITING = 4
"""Exit code of a pass after which micrographs wait for coordinates that are made elsewhere."""


def workflow_folder() -> Path:
    """Return the folder with the Snakefile: inside an installed package, or the root of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_workflow"
    return installed if installed.is_dir() else package.parents[1]


def run_pass(config_path: Path, *, cores: int | None, dry_run: bool, arguments: Sequence[str]) -> int:
    """Run Snakemake once over all sealed shards.

    Parameters
    ----------
    config_path : Path
        Settings of the session.
    cores : int or None
        Processor cores to use; all that this process may use if None.
    dry_run : bool
        Only say what would be done.
    arguments : sequence of str
        More options for Snakemake.

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
    command = snakemake_command(config_path, cores, arguments)
    if dry_run:
        return subprocess.run([*command, "--dry-run"], env=_environment()).returncode
    output = Path(session.output)
    with alone(output) as token:
        added = session.plan().added
        session.check_source()
        print("\n".join(_announce(session, cores, new=added)), flush=True)
        with start(command, output, token=token) as running:
            code = follow(running)
            messages = running.complaints() if code else []
    if code:
        print("\n".join(f"cryopair: {message}" for message in messages), file=sys.stderr)
        return 1
    return _conclude(session)


def snakemake_command(config_path: Path, cores: int | None, arguments: Sequence[str]) -> list[str]:
    """Return the command that runs a pass; on all cores that this process may use if it is not said on how many."""
    cores = cores or len(os.sched_getaffinity(0))
    folder = workflow_folder()
    return [
        sys.executable,
        "-m",
        "snakemake",
        f"--snakefile={folder / 'Snakefile'}",
        f"--workflow-profile={folder / 'workflow' / 'profiles' / 'default'}",
        f"--configfile={config_path}",
        f"--cores={cores}",
        "--nolock",  # this process holds a lock of its own, which dies with it
        *arguments,
    ]


def _environment() -> dict[str, str]:
    """Return the environment of the jobs: they find the `cryopair` command that belongs to this Python."""
    here = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ.get('PATH', '')}"}


def start(command: Sequence[str], output: Path, *, token: str, log: str = "run", live: int | None = None) -> Running:
    """Start Snakemake; its jobs find the `cryopair` command that belongs to this Python.

    Parameters
    ----------
    command : sequence of str
        Snakemake with its options.
    output : Path
        Output folder of the session.
    token : str
        Of `alone`.
    log : str
        Name of the log file.
    live : int, optional
        Seconds after which an open report reads itself again.
    """
    environment = _environment() | {PLANNED: "1"} | ({LIVE: str(live)} if live else {})
    return Running(command, environment=environment, log=output / "logs" / f"{log}.log", token=token)


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


def _announce(session: Session, cores: int, *, new: int) -> list[str]:
    """Say what was found, what will be done and how long it will take."""
    from .estimate import estimate  # brings torch, which a watcher has no need of

    summary = summarise(session.source())
    lines = [f"{session.config.source}: {summary.micrographs} micrographs, {new} of them new"]
    lines += [f"  {line}" for line in summary.lines()[1:]]
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
    if new:
        lines.append(f"time:  {estimate(session, summary, new, cores=cores)}")
    return lines


def _conclude(session: Session) -> int:
    """Print what there is now; say in the exit code if micrographs failed, or wait for coordinates."""
    config, output = session.config, Path(session.output)
    denoised = read_star(output / "denoised_micrographs.star")["micrographs"]
    failed = read_star(output / "failed.star").get("failed") if (output / "failed.star").is_file() else None
    failures = len(failed) if failed else 0
    particles = output / "particles.star"
    parts = [f"{len(denoised)} micrographs denoised"]
    if config.extraction.box and particles.is_file():
        parts.append(f"{len(read_star(particles).get('particles', []))} raw particles")
    print(f"report: {output / 'report.html'}")
    fate = f"{failures} micrographs FAILED, see {output / 'failed.star'}" if failures else "none failed"
    if session.given_coordinates:
        waiting, lines = session.given_coordinates.waiting(session.shards(), denoised)
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
