"""A logger of Snakemake that writes what happens in a pass as lines of JSON: ``--logger cryopair``.

Each line has ``time`` (s since 1970), ``event`` and what belongs to it:

- ``run_info``: ``total`` (jobs to do)
- ``job_started``: ``job``, ``rule``, ``message``, ``log`` (file)
- ``job_finished``, ``job_error``: ``job``
- ``progress``: ``done``, ``total``
- ``error``: ``message``

Whoever reads it need not know how Snakemake words its messages. `cryopair.session.events` does.
"""

import json
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """Options of ``--logger cryopair``."""

    events: Path = field(
        default=Path("cryopair-events.jsonl"),
        metadata={"help": "File to write events to, one JSON object a line.", "type": Path},
    )


class LogHandler(LogHandlerBase):
    """Writes events to a file as they happen."""

    def __post_init__(self) -> None:
        assert isinstance(self.settings, LogHandlerSettings)
        self.baseFilename = str(self.settings.events)
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        self._file = Path(self.baseFilename).open("w", encoding="utf-8")  # noqa: SIM115 (see `close`)

    writes_to_stream = False
    writes_to_file = True
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write the event of a record, if it is one of those that are kept."""
        for event in _events(record):
            try:
                self._file.write(json.dumps({"time": round(time.time(), 3), **event}) + "\n")
                self._file.flush()
            except OSError:  # a full disk must not end the pass
                return

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def _events(record: logging.LogRecord) -> list[dict[str, object]]:
    kind = getattr(record, "event", None)
    values = record.__dict__
    if kind == LogEvent.RUN_INFO:
        return [{"event": "run_info", "total": values["stats"].get("total", 0)}]
    if kind == LogEvent.JOB_INFO:  # when a job is handed over to be run; JOB_STARTED comes before and tells less
        message = values.get("rule_msg") or values["rule_name"]
        log = next(iter(values.get("log") or []), None)
        return [
            {
                "event": "job_started",
                "job": values["jobid"],
                "rule": values["rule_name"],
                "message": message,
                "log": log and str(log),
            }
        ]
    if kind == LogEvent.JOB_FINISHED:
        return [{"event": "job_finished", "job": values["job_id"]}]
    if kind == LogEvent.JOB_ERROR:
        return [{"event": "job_error", "job": values["jobid"]}]
    if kind == LogEvent.PROGRESS:
        return [{"event": "progress", "done": values["done"], "total": values["total"]}]
    if record.levelno >= logging.ERROR and record.msg:
        return [{"event": "error", "message": record.getMessage()}]
    return []
