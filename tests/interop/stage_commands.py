"""The command of each stage, as the workflow calls it, and a quick way to run it."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from made_up import Project


def stage_commands(project: Project) -> list[list[str]]:
    """Return the arguments of each job's command, in an order in which they can run."""
    said = project.cryopair("run", "--dry-run", "--forceall", "--printshellcmds")
    assert said.returncode == 0, said.stderr
    calls = re.findall(r"^Shell command: cryopair (.+?) > ", said.stdout + said.stderr, re.MULTILINE)
    return [shlex.split(call) for call in calls]


class ForkServer:
    """Runs commands in copies of one process that has everything imported."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("forkserver.py"))]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "2")
        environment = os.environ | threads  # as jobs of a pass have with two cores
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def run(self, project: Project, arguments: Sequence[str], *, kill_after: float | None = None) -> tuple[int, float]:
        """Run a command; return its exit code and how long it took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([str(project.folder), arguments, kill_after]), file=self._process.stdin, flush=True)
        code, seconds = json.loads(self._process.stdout.readline())
        return code, seconds

    def said(self, project: Project) -> str:
        """Return what the commands have printed."""
        return (project.folder / "commands.log").read_text()

    def close(self) -> None:
        self._process.communicate()
