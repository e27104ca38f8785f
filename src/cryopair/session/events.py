"""How far a pass is, as the events tell that ``--logger cryopair`` writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TAIL_BYTES = 4000
_ERROR = re.compile(r"^(?:cryopair: |(?:\w+\.)*\w*(?:Error|Exception): )(.+)", re.MULTILINE)

_SILENT = "ended without a word. Was it killed, because memory ran out?"


@dataclass(frozen=True)
class Job:
    """A job of the workflow.

    Attributes
    ----------
    rule, message : str
        Name of the stage, and what it does, in words.
    log : str
        Its log file; empty if it has none.
    since : float
        When it was started, in s since 1970.
    """

    rule: str
    message: str
    log: str
    since: float

    @property
    def last_line(self) -> str:
        """The last line of its log, such as a progress bar of its own."""
        lines = [line for line in re.split(r"[\r\n]+", tail(self.log)) if line.strip()]
        return lines[-1].strip() if lines else ""

    @property
    def complaint(self) -> str:
        """What its log says of its failure: the last message of an error."""
        found = _ERROR.findall(tail(self.log).replace("\r", "\n"))
        return found[-1] if found else f"{self.message}: {_SILENT} See {self.log}"


class PassEvents:
    """What has happened in a pass so far.

    Parameters
    ----------
    path : Path
        The file of events; it grows.

    Attributes
    ----------
    done, total : int
        Jobs; the total is 0 until the pass is planned.
    running : dict of int to Job
        Jobs at work.
    failed : dict of int to Job
        Jobs that failed, and were not repeated with success since.
    errors : list of str
        What Snakemake itself complains about.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0
        self.done = self.total = 0
        self.running: dict[int, Job] = {}
        self.failed: dict[int, Job] = {}
        self.errors: list[str] = []

    def update(self) -> list[Job]:
        """Read what is new; return the jobs that were started since the last time."""
        started = []
        for event in self._new():
            job = int(event.get("job", -1))
            match event["event"]:
                case "run_info":
                    self.total = event["total"]
                case "progress":
                    self.done, self.total = event["done"], event["total"]
                case "error":
                    self.errors.append(event["message"])
                case "job_started":
                    self.running[job] = Job(event["rule"], event["message"], event["log"] or "", event["time"])
                    started += [self.running[job]] if event["rule"] != "all" else []
                case "job_finished":
                    self.running.pop(job, None)
                    self.failed.pop(job, None)
                case "job_error" if job in self.running:
                    self.failed[job] = self.running.pop(job)
        return started

    def complaints(self) -> list[str]:
        """Return what went wrong, each message once: what the jobs say, or else what Snakemake says."""
        messages = [job.complaint for job in self.failed.values()]
        messages += [_ERROR.sub(r"\1", error) for error in self.errors] if not messages else []
        return list(dict.fromkeys(messages))

    def _new(self) -> Iterator[dict[str, Any]]:
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._read)
                text = stream.read()
        except FileNotFoundError:
            return
        whole = text[: text.rfind(b"\n") + 1]  # the last line may be half written
        self._read += len(whole)
        for line in whole.splitlines():
            yield json.loads(line)


def tail(path: str | Path) -> str:
    """Return the end of a text file; nothing if there is no such file."""
    try:
        with Path(path).open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(size - _TAIL_BYTES, 0))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""
