"""Killed anywhere, as by a power cut or for want of memory, a session goes on and ends with the same bytes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
from made_up import Project
from stage_commands import stage_commands

KILLS_PER_STAGE, KILLED_PASSES = 5, 8
KILLED = -signal.SIGKILL


class ForkServer:
    """Runs commands in copies of one process that has everything imported."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("forkserver.py"))]
        environment = os.environ | {"OMP_NUM_THREADS": "2"}  # as jobs of a pass have with two cores
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

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture
def server() -> Iterator[ForkServer]:
    server = ForkServer()
    yield server
    server.close()


def test_every_stage_killed_at_random_moments(
    server: ForkServer, prepared: Project, undisturbed: Project, tmp_path: Path
) -> None:
    project, timed = (prepared.copy(tmp_path / name) for name in ("project", "timed"))
    random = Random(1)
    kills = 0
    calls = [["plan", "--config", "config/config.yaml"], *stage_commands(undisturbed)]
    for call in calls:
        code, seconds = server.run(timed, call)
        assert code == 0, (timed.folder / "killed.log").read_text()[-2000:]
        killed = 0
        for _ in range(10 * KILLS_PER_STAGE):
            killed += server.run(project, call, kill_after=random.uniform(0, seconds))[0] == KILLED
            if killed == KILLS_PER_STAGE:
                break
        kills += killed
        code, _ = server.run(project, call)
        assert code == 0, (project.folder / "killed.log").read_text()[-2000:]
    assert len(calls) == 11
    assert kills >= 50
    assert project.results() == undisturbed.results()


def test_passes_and_workers_killed_at_random_moments(prepared: Project, undisturbed: Project, tmp_path: Path) -> None:
    """Every other time only one worker is killed: its pass ends with a message that says so."""
    project = prepared.copy(tmp_path / "project")
    random = Random(2)
    workers = 0
    for number in range(KILLED_PASSES):
        process = project.start()
        if number % 2:
            killed = wait_for_worker(project, process, random)
            _, said = process.communicate()
            workers += killed
            assert not killed or (process.returncode == 1 and "Was it killed" in said), said
        else:
            try:
                process.wait(random.uniform(0, 0.4 * undisturbed.seconds))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert workers
    project.run()
    assert project.results() == undisturbed.results()
    assert not project.run()


def wait_for_worker(project: Project, process: subprocess.Popen[str], random: Random) -> bool:
    """Kill a stage of a pass a moment after it has begun; tell whether there was one."""
    while process.poll() is None:
        workers = [pid for stage in ("halves", "train", "denoise", "extract") for pid in project.processes(stage)]
        if workers:
            time.sleep(random.uniform(0, 1))
            try:
                os.kill(workers[0], signal.SIGKILL)
            except ProcessLookupError:
                continue
            return True
        time.sleep(0.05)
    return False
