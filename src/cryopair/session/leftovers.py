"""Processes that a run left behind when it was killed, found by a token that all of them inherit, and stopped.

The lock of a run dies with it, but Snakemake and its jobs may live on. They must not write beside the next run.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

TOKEN = "CRYOPAIR_RUN"
"""Environment variable with the token of a run."""

_GRACE_SECONDS = 10.0


def stop_leftovers(token: str) -> int:
    """Stop all processes of an earlier run on this machine.

    Parameters
    ----------
    token : str
        Of that run.

    Returns
    -------
    int
        How many there were.
    """
    found = processes_of(token)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in processes_of(token):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        deadline = time.monotonic() + _GRACE_SECONDS
        while processes_of(token) and time.monotonic() < deadline:
            time.sleep(0.05)
    return len(found)


def processes_of(token: str) -> list[int]:
    """Return the processes, but for this one, that carry the token of a run."""
    wanted = f"{TOKEN}={token}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            dead = (folder / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        except (OSError, IndexError):  # gone, or another user's
            continue
        if wanted in environment.split(b"\0") and not dead and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found
