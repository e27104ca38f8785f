"""Snakemake at work: started in a process group of its own, followed by its events, and stopped cleanly."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from .events import PassEvents
from .leftovers import TOKEN, stop_leftovers

_PATIENCE_SECONDS = 30.0
"""How long jobs may take to stop when they are asked to, before they are killed."""


class Running:
    """One pass of Snakemake; as a context manager it is stopped when the block is left before it has ended.

    Parameters
    ----------
    command : sequence of str
        Snakemake with its options.
    environment : mapping of str to str
        Of the process and its jobs.
    log : Path
        Where its output goes; its events go beside it, into ``<name>_events.jsonl``.
    token : str
        That tells its processes from those of other runs.
    """

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], log: Path, token: str) -> None:
        events = log.with_name(f"{log.stem}_events.jsonl")
        log.parent.mkdir(parents=True, exist_ok=True)
        events.unlink(missing_ok=True)
        self.log, self.events, self._token = log, PassEvents(events), token
        with log.open("w") as stream:
            self._process = subprocess.Popen(
                [*command, "--logger", "cryopair", f"--logger-cryopair-events={events}"],
                env={**environment, TOKEN: token},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                process_group=0,  # Ctrl-C reaches this process only, which then stops that group
            )

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def code(self) -> int | None:
        """The exit code; None as long as it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most so long; tell whether it has come."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def complaints(self) -> list[str]:
        """Return what went wrong."""
        self.events.update()
        return self.events.complaints() or [f"snakemake stopped; see {self.log}"]

    def stop(self) -> None:
        """Stop Snakemake and its jobs, those that are on a cluster too; nothing if it has ended."""
        if self.code is None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)
                if self.wait(_PATIENCE_SECONDS):
                    break
        if self.code:
            stop_leftovers(self._token)
