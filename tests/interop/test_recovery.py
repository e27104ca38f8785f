"""Killed anywhere, as by a power cut or for want of memory, a session goes on and ends with the same bytes."""

import os
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from made_up import Project
from stage_commands import ForkServer, stage_commands

from cryopair.report.live import LIVE

KILLS_PER_STAGE = 5
VICTIMS = ("pass", "job", "watcher", "all", "pass", "job")
KILLED_JOBS = ("halves", "train", "denoise", "measure", "extract")
KILLED = -signal.SIGKILL


def test_every_stage_killed_at_random_moments(
    server: ForkServer, prepared: Project, undisturbed: Project, tmp_path: Path
) -> None:
    project, timed = (prepared.copy(tmp_path / name) for name in ("project", "timed"))
    random = Random(1)
    kills = 0
    calls = [["plan", "--config", "config/config.yaml"], *stage_commands(undisturbed)]
    for call in calls:
        code, seconds = server.run(timed, call)
        assert code == 0, server.said(timed)[-2000:]
        killed = 0
        for _ in range(10 * KILLS_PER_STAGE):
            code, took = server.run(project, call, kill_after=random.uniform(0, seconds))
            killed += code == KILLED
            if killed == KILLS_PER_STAGE:
                break
            if code == 0:  # it was done before its time: now it only has to see that
                seconds = min(seconds, took)
        kills += killed
        code, _ = server.run(project, call)
        assert code == 0, server.said(project)[-2000:]
    assert len(calls) == 11
    assert kills >= 50
    assert project.results() == undisturbed.results()


def test_passes_killed_at_random_moments(prepared: Project, undisturbed: Project, tmp_path: Path) -> None:
    """A job of a pass is killed, or who started it all, whose jobs live on, or everything, as by a power cut."""
    project = prepared.copy(tmp_path / "project")
    project.cryopair("plan")
    random = Random(2)
    killed = Counter[str]()
    for victim in VICTIMS:
        if victim == "job":
            killed[victim] += kill_job(project, random)
            continue
        process = project.start("watch", "--once") if victim == "watcher" else project.start()
        with suppress(subprocess.TimeoutExpired):
            process.wait(random.uniform(0.05, 0.25) * undisturbed.seconds)
        killed[victim] += process.poll() is None
        if victim == "all":
            project.kill(process)
        else:
            process.kill()
            process.communicate()
    assert set(killed.elements()) == set(VICTIMS)
    project.run()
    assert project.results() == undisturbed.results()
    assert not project.run()
    assert not project.processes()


def test_a_report_that_a_killed_watcher_left_open(
    undisturbed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next pass has nothing to do, and yet ends its reading itself again."""
    project = undisturbed.copy(tmp_path / "project")
    (report,) = [call for call in stage_commands(project) if call[0] == "report"]
    with monkeypatch.context() as patch:
        patch.setenv(LIVE, "60")
        assert project.cryopair(*report).returncode == 0
    assert "data-live" in (project.output / "report.html").read_text()
    assert not project.run()
    assert project.results() == undisturbed.results()


def kill_job(project: Project, random: Random) -> bool:
    """Kill a job of a pass a moment after it has begun; tell whether there was one, and see what the pass says."""
    before, killed = project.token, False
    process = project.start()
    while process.poll() is None and not killed:
        jobs = [pid for stage in KILLED_JOBS for pid in project.processes(stage)]
        if jobs and project.token != before:  # those of the pass before have been stopped
            time.sleep(random.uniform(0, 1))
            with suppress(ProcessLookupError):
                os.kill(jobs[0], signal.SIGKILL)
                killed = True
        time.sleep(0.05)
    _, said = process.communicate()
    assert not killed or (process.returncode == 1 and "Was it killed" in said), said
    return killed
